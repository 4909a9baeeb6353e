// `mimeo evaluate compare` of a job that was trained: its rows are the job's own evaluations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/subprocess.h"
#include "base/testing/status_matchers.h"
#include "job/job_spec.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::map<int64_t, nlohmann::json> EvaluationsOf(LocalCluster* cluster, const std::string& job) {
  std::map<int64_t, nlohmann::json> evaluations;
  const std::string lines = cluster->Mimeo({"metrics", job, "-o", "json"});
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    const nlohmann::json json = nlohmann::json::parse(line);
    if (json.contains("knn_accuracy")) evaluations[json.at("step").get<int64_t>()] = json;
  }
  return evaluations;
}

// The lines of an example as --help has them.
std::vector<std::string> ExampleOf(LocalCluster* cluster, std::vector<std::string> verb) {
  verb.emplace_back("--help");
  const std::string help = cluster->Mimeo(verb);
  std::vector<std::string> lines;
  for (const absl::string_view line :
       absl::StrSplit(help.substr(help.find("Example:\n") + 9), '\n', absl::SkipEmpty())) {
    lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return lines;
}

// Typed in a folder with photos/ and out/mine, as a person does who has read them.
void ExpectExamplesWork(LocalCluster* cluster, const std::string& folder) {
  const auto mimeo = FindBinary("mimeo");
  ASSERT_OK(mimeo.status());
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"evaluate"}, {"evaluate", "knn"}, {"evaluate", "linear"}, {"evaluate", "compare"}, {"embed"}}) {
    const std::vector<std::string> examples = ExampleOf(cluster, verb);
    EXPECT_FALSE(examples.empty()) << absl::StrJoin(verb, " ");
    for (const std::string& example : examples) {
      EXPECT_THAT(example, StartsWith(absl::StrCat("mimeo ", verb[0])))
          << "the example of " << absl::StrJoin(verb, " ");
      Subprocess::Options options;
      const std::string path = mimeo->substr(0, mimeo->rfind('/'));
      options.argv = {"/bin/sh", "-c", absl::StrCat("cd ", folder, " && PATH=", path, ":$PATH && ", example)};
      std::string errors;
      options.on_stderr = [&](absl::string_view piece) { absl::StrAppend(&errors, piece); };
      const auto child = Subprocess::Start(options);
      ASSERT_OK(child.status());
      const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(2));
      ASSERT_OK(ended.status());
      EXPECT_TRUE(ended->ok()) << example << ":\n" << errors;
    }
  }
}

// The start is drawn anew by another process, long after the rank drew it: the same accuracy to the last photo. So is
// the encoder's own after the last step.
TEST(CompareTest, TheStartIsWhatTheJobEvaluatedAtStepZero) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(/*ranks=*/1, /*steps=*/20);
  spec.mutable_evaluation()->set_path(ExamplePhotos("validation"));
  spec.mutable_evaluation()->set_bank_path(ExamplePhotos("train"));
  spec.mutable_evaluation()->set_max_images(150);
  const std::string job = cluster.Submit(spec);
  cluster.AwaitSuccess(job);
  const std::map<int64_t, nlohmann::json> evaluations = EvaluationsOf(&cluster, job);
  ASSERT_EQ(evaluations.size(), 2u);

  const std::string encoder = cluster.dir() + "/encoder", recipe = cluster.dir() + "/recipe.textproto";
  cluster.Mimeo({"export", job, "--to", "safetensors", "--out", encoder});
  ASSERT_OK(WriteFileAtomic(recipe, JobSpecText(spec)));
  std::vector<std::string> compare = {"evaluate",     "compare",
                                      "--weights",    encoder,
                                      "--data",       ExamplePhotos("validation"),
                                      "--bank",       ExamplePhotos("train"),
                                      "--max_images", "150",
                                      "--job",        recipe};
  const std::string table = cluster.Mimeo(compare);
  EXPECT_THAT(table, HasSubstr("150 images of 10 classes judged by 150 images of the bank"));
  compare.insert(compare.end(), {"-o", "json"});
  const nlohmann::json compared = nlohmann::json::parse(cluster.Mimeo(compare));
  std::map<std::string, double> knn;
  for (const nlohmann::json& row : compared.at("rows"))
    knn[row.at("name").get<std::string>()] = row.at("knn").get<double>();
  EXPECT_EQ(knn.at("start"), evaluations.at(0).at("knn_accuracy"));
  EXPECT_EQ(knn.at("encoder"), evaluations.at(20).at("knn_accuracy"));
  EXPECT_EQ(knn.at("raw_pixels"), evaluations.at(0).at("knn_raw_pixels"));
  EXPECT_EQ(knn.at("majority"), evaluations.at(0).at("majority_rate"));
  EXPECT_NE(knn.at("start"), knn.at("encoder")) << "else the test could not tell one from the other";

  const std::string folder = cluster.dir() + "/work", mine = folder + "/out/mine";
  ASSERT_OK(MakeDirs(mine));
  cluster.Mimeo({"export", job, "--to", "hf", "--out", mine + "/encoder"});
  spec.clear_evaluation();
  spec.mutable_evaluation()->set_hold_out(0.1);
  ASSERT_OK(WriteFileAtomic(mine + "/job.textproto", JobSpecText(spec)));
  std::filesystem::create_directory_symlink(ExamplePhotos("validation"), folder + "/photos");
  ExpectExamplesWork(&cluster, folder);
}

}  // namespace
}  // namespace mimeo
