// A part of a job's own photos judges it and is never trained on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/divided_dataset.h"
#include "data/stored_dataset.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using testing::HasSubstr;

constexpr int kPhotos = 160;
constexpr int kBroken = 40;

// Class folders below `root` with example photos, and with files that are named as images and are none.
void WriteClasses(const std::string& root) {
  const auto photos = *Dataset::Open(ExamplePhotos("train"));
  for (int i = 0; i < kPhotos + kBroken; ++i) {
    const int64_t sample = i * (photos->size() / (kPhotos + kBroken));
    const std::string folder = absl::StrCat(root, "/class", photos->label(sample));
    std::filesystem::create_directories(folder);
    std::ofstream file(absl::StrCat(folder, "/", i, ".jpg"));
    file << (i < kPhotos ? *photos->Read(sample) : absl::StrCat("no photo ", i));
  }
}

int64_t BrokenAmong(const Dataset& part) {
  int64_t broken = 0;
  for (int64_t i = 0; i < part.size(); ++i) broken += absl::StartsWith(*part.Read(i), "no photo") ? 1 : 0;
  return broken;
}

// As JSON of protocol buffers may have it.
int64_t Number(const nlohmann::json& value) {
  return value.is_string() ? std::stoll(value.get<std::string>()) : value.get<int64_t>();
}

// By field: how many of a job's images cannot be decoded, of those that were met.
std::map<std::string, int64_t> Undecodable(const nlohmann::json& data) {
  std::map<std::string, int64_t> counts;
  for (const nlohmann::json& set : data) {
    counts[set["field"]] = 0;
    if (!set.contains("passed_over")) continue;
    for (const nlohmann::json& row : set["passed_over"]) counts[set["field"]] += Number(row["count"]);
  }
  return counts;
}

// Each broken image that is read is counted, by the set that it was read from. So a held-out one that was trained on
// would be one too many.
TEST(HoldOutTest, WhatIsHeldOutIsMeasuredAndNeverTrainedOn) {
  LocalCluster cluster;
  const std::string photos = cluster.dir() + "/photos";
  WriteClasses(photos);
  const auto divided = DividedDataset::Divide(*StoredDataset::Open(photos), 0.25).value();
  const auto training = divided.Training(), held_out = divided.HeldOut();
  ASSERT_GT(BrokenAmong(*held_out), 2);
  ASSERT_GT(BrokenAmong(*training), 20);

  cluster.StartCoordinator();
  cluster.StartWorker("w0", 2);
  JobSpec spec = TinyJob(2, 1);
  spec.mutable_data()->set_path(photos);
  spec.mutable_data()->set_global_batch(16);
  spec.mutable_schedule()->clear_steps();
  spec.mutable_schedule()->set_epochs(5);
  spec.mutable_evaluation()->set_hold_out(0.25);
  const std::string id = cluster.Submit(spec);
  const Job job = cluster.AwaitSuccess(id);
  EXPECT_EQ(job.total_steps(), training->size() / 16 * 5);
  const nlohmann::json shown = nlohmann::json::parse(cluster.Mimeo({"show", id, "-o", "json"}));
  std::map<std::string, int64_t> samples;
  for (const nlohmann::json& set : shown["data"]) samples[set["field"]] = Number(set["num_samples"]);
  EXPECT_EQ(samples["data.path"], training->size());
  EXPECT_EQ(samples["evaluation.hold_out"], held_out->size());
  std::map<std::string, int64_t> undecodable = Undecodable(shown["data"]);
  EXPECT_EQ(undecodable["data.path"], BrokenAmong(*training));
  EXPECT_EQ(undecodable["evaluation.hold_out"], BrokenAmong(*held_out));
  EXPECT_THAT(cluster.Mimeo({"metrics", id, "-o", "json"}), HasSubstr("knn_accuracy"));
}

TEST(HoldOutTest, ARunOnOnesOwnPhotosSaysWhatItHoldsOut) {
  LocalCluster no_cluster;
  const std::string photos = no_cluster.dir() + "/photos", out = no_cluster.dir() + "/out";
  WriteClasses(photos);
  const std::string root = absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"));
  std::vector<std::string> args = {
      "run", root + "/recipes/quickstart_mae.textproto", "--data", photos, "--out", out, "--workers", "1"};
  for (const char* set :
       {"data.image_px=32", "encoder.vit.width=32", "encoder.vit.depth=1", "encoder.vit.heads=2", "schedule.epochs=1",
        "objective[pixels].reconstruction.decoder_width=32", "objective[pixels].reconstruction.decoder_depth=1",
        "objective[pixels].reconstruction.decoder_heads=2"}) {
    args.insert(args.end(), {"--set", set});
  }
  const std::string said = no_cluster.Mimeo(args);
  EXPECT_THAT(said, HasSubstr("evaluation.path examples/clothing/validation is of other photos and is left out"));
  EXPECT_THAT(said, HasSubstr("holds out 10 % of " + photos));
  EXPECT_THAT(said, HasSubstr("untrained encoder"));
  EXPECT_THAT(ReadFile(out + "/report.html").value(), HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(ReadFile(out + "/job.textproto").value(), HasSubstr("hold_out: 0.1"));
}

}  // namespace
}  // namespace mimeo
