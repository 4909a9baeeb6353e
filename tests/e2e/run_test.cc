// `mimeo run`, as the quick start uses it, at a tiny size: a teacher is trained, then a job that mimics it, on two
// workers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/photos.h"

namespace mimeo {
namespace {

std::vector<std::string> Tiny(const std::string& recipe, const std::string& out) {
  const std::string root = absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"));
  std::vector<std::string> args = {"run", root + "/recipes/" + recipe, "--data", ExamplePhotos("train"), "--out", out};
  for (const char* set :
       {"data.image_px=32", "encoder.vit.width=64", "encoder.vit.depth=2", "encoder.vit.heads=2", "schedule.epochs=1",
        "schedule.warmup=0.1", "evaluation.max_images=100", "objective[pixels].reconstruction.decoder_width=32",
        "objective[pixels].reconstruction.decoder_depth=1", "objective[pixels].reconstruction.decoder_heads=2"}) {
    args.push_back("--set");
    args.push_back(set);
  }
  args.push_back("--set");
  args.push_back("evaluation.path=" + ExamplePhotos("validation"));
  return args;
}

std::vector<nlohmann::json> JsonLines(const std::string& path) {
  const auto text = ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  std::vector<nlohmann::json> lines;
  for (absl::string_view line : absl::StrSplit(text.ok() ? *text : "", '\n', absl::SkipEmpty())) {
    lines.push_back(nlohmann::json::parse(line.begin(), line.end()));
  }
  return lines;
}

TEST(RunTest, TrainsATeacherThenAJobThatMimicsItAndWritesTheWholeOutDirectory) {
  TempDir dir;
  LocalCluster no_cluster;
  const std::string teacher = dir.path() + "/teacher", out = dir.path() + "/main";
  no_cluster.Mimeo(Tiny("quickstart_mae.textproto", teacher));
  std::vector<std::string> args = Tiny("quickstart_mr_mae.textproto", out);
  args.push_back("--teacher");
  args.push_back("clothing_mv=" + teacher + "/encoder");
  const std::string said = no_cluster.Mimeo(args);
  for (const char* row :
       {"encoder, after", "teacher of mimic", "untrained encoder", "raw pixels", "most frequent class"}) {
    EXPECT_TRUE(absl::StrContains(said, row)) << said;
  }

  const auto lines = JsonLines(out + "/metrics.jsonl");
  ASSERT_GE(lines.size(), 10u);
  for (const char* field : {"step", "epoch", "images", "loss", "loss/pixels", "loss/mimic", "learning_rate",
                            "grad_norm", "images_per_second", "data_wait", "teacher_wait"}) {
    EXPECT_TRUE(lines[0].contains(field)) << field;
  }
  EXPECT_LT(lines.back()["loss"].get<double>(), lines[0]["loss"].get<double>());
  EXPECT_EQ(lines.back()["step"].get<int>(), static_cast<int>(lines.size()));

  const auto model = SafetensorsFile::Open(out + "/checkpoint.safetensors");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->view().tensors().count("encoder.cls_token"), 1u);
  EXPECT_EQ((*model)->view().tensors().count("objective.mimic.head.weight"), 1u);
  const auto encoder = SafetensorsFile::Open(out + "/encoder/model.safetensors");
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_TRUE(FileExists(out + "/encoder/config.json"));
  const auto job = ReadFile(out + "/job.textproto");
  ASSERT_TRUE(job.ok());
  EXPECT_TRUE(absl::StrContains(*job, "weight_decay: 0.05")) << "defaults are written out";
  const auto report = ReadFile(out + "/report.html");
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(absl::StrContains(*report, "data:image/png;base64,")) << "reconstructions";
  EXPECT_TRUE(absl::StrContains(*report, "<svg")) << "curves";
  EXPECT_FALSE(absl::StrContains(*report, "http://")) << "self-contained";

  const std::string features = dir.path() + "/features.safetensors";
  no_cluster.Mimeo(
      {"embed", "--weights", out + "/encoder", "--images", ExamplePhotos("validation"), "--out", features});
  const auto embedded = SafetensorsFile::Open(features);
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ((*embedded)->view().tensors().at("class_token").shape[1], 64);
}

TEST(RunTest, WhatTheDataLeaveOutIsInTheJsonAndInTheReport) {
  TempDir dir;
  LocalCluster no_cluster;
  const std::string photos = dir.path() + "/photos", out = dir.path() + "/out";
  ASSERT_TRUE(MakeDirs(photos + "/.ipynb_checkpoints").ok());
  WritePhotos(dir.path() + "/elsewhere", 95);  // with the broken one three whole batches, so that it is met
  ASSERT_EQ(symlink((dir.path() + "/elsewhere").c_str(), (photos + "/linked").c_str()), 0);
  for (const char* name : {"broken.jpg", "scan.tif", ".ipynb_checkpoints/a.jpg"}) {
    ASSERT_TRUE(WriteFileAtomic(JoinPath(photos, name), "no image").ok());
  }
  std::vector<std::string> args = Tiny("quickstart_mae.textproto", out);
  args.insert(args.end(), {"--data", photos, "-o", "json", "--set", "evaluation.path="});
  args.erase(std::find(args.begin(), args.end(), "--data"), std::find(args.begin(), args.end(), "--data") + 2);
  const auto summary = nlohmann::json::parse(no_cluster.Mimeo(args));
  const auto report = ReadFile(out + "/report.html");
  ASSERT_TRUE(report.ok());
  std::map<std::string, int> counts;
  for (const auto& row : summary["data"][0]["passed_over"]) counts[row["reason"]] = row["count"];
  EXPECT_EQ(counts, (std::map<std::string, int>{
                        {"files of other kinds", 1}, {"hidden folders", 1}, {"images that cannot be decoded", 1}}));
  EXPECT_TRUE(absl::StrContains(*report, "data.path leaves out hidden folders: 1 (.ipynb_checkpoints)"));
  EXPECT_TRUE(absl::StrContains(*report, "images that cannot be decoded: 1 (broken.jpg: not a JPEG, PNG or WebP"));
}

TEST(RunTest, ARecipeWithSeveralMistakesIsRefusedWithAllOfThem) {
  TempDir dir;
  LocalCluster no_cluster;
  std::vector<std::string> args = Tiny("quickstart_mae.textproto", dir.path() + "/out");
  for (const char* set : {"objective[pixels].weight=-1", "data.global_batch=1", "encoder.vit.patch_px=7"}) {
    args.push_back("--set");
    args.push_back(set);
  }
  no_cluster.Mimeo(args, 2);
  EXPECT_FALSE(FileExists(dir.path() + "/out/job.textproto"));
}

// A cluster may get such a worker yet; a machine by itself will not.
TEST(RunTest, AJobForADeviceThatIsNotThereIsRefusedAtOnce) {
  TempDir dir;
  LocalCluster no_cluster;
  ASSERT_EQ(setenv("CUDA_VISIBLE_DEVICES", "", /*overwrite=*/1), 0);
  std::vector<std::string> args = Tiny("quickstart_mae.textproto", dir.path() + "/out");
  args.insert(args.end(), {"--set", "resources.device=DEVICE_CUDA"});
  no_cluster.Mimeo(args, 2);
  EXPECT_FALSE(FileExists(dir.path() + "/out"));
  unsetenv("CUDA_VISIBLE_DEVICES");
}

}  // namespace
}  // namespace mimeo
