// Every verb of `mimeo` against a real coordinator and worker, as a person types them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "job/job_spec.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

class ClientCommandsTest : public ::testing::Test {
 protected:
  ClientCommandsTest() {
    cluster_.StartCoordinator();
    cluster_.StartWorker("w0");
  }

  std::string Recipe(int ranks, int64_t steps) {
    const std::string path = absl::StrCat(cluster_.dir(), "/recipe-", ranks, "-", steps, ".textproto");
    EXPECT_TRUE(WriteFileAtomic(path, JobSpecText(TinyJob(ranks, steps))).ok());
    return path;
  }
  std::string Submit(int ranks, int64_t steps) {
    return std::string(absl::StripAsciiWhitespace(cluster_.Mimeo({"submit", Recipe(ranks, steps), "--set", "seed=3"})));
  }
  nlohmann::json Json(std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json"});
    return nlohmann::json::parse(cluster_.Mimeo(args));
  }

  LocalCluster cluster_;
};

TEST_F(ClientCommandsTest, AJobIsSubmittedFollowedShownMeasuredAndExported) {
  const std::string job = Submit(1, 12);
  EXPECT_EQ(job, "j1");
  EXPECT_THAT(cluster_.Mimeo({"watch", job}), HasSubstr("12/12"));
  EXPECT_THAT(cluster_.Mimeo({"list"}), HasSubstr("succeeded"));
  const nlohmann::json list = Json({"list", "--specs"});
  ASSERT_EQ(list["jobs"].size(), 1u);
  EXPECT_EQ(list["jobs"][0]["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(list["jobs"][0]["spec"]["seed"], 3);
  EXPECT_THAT(cluster_.Mimeo({"show", job}), HasSubstr("weight_decay: 0.05"));
  EXPECT_THAT(cluster_.Mimeo({"explain", job}), HasSubstr("step"));

  std::vector<std::string> lines =
      absl::StrSplit(cluster_.Mimeo({"metrics", job, "-o", "json"}), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 12u);
  const nlohmann::json last = nlohmann::json::parse(lines.back());
  EXPECT_EQ(last["step"], 12);
  EXPECT_EQ(last["images"], 12 * 96);
  EXPECT_GT(last["loss/pixels"].get<double>(), 0);
  EXPECT_THAT(cluster_.Mimeo({"metrics", job}), HasSubstr("GRADNORM"));

  const nlohmann::json checkpoints = Json({"checkpoints", job});
  EXPECT_EQ(checkpoints["manifests"][0]["step"], 12);
  EXPECT_GE(checkpoints["manifests"][0]["created"], "2026") << "when it was made, as RFC 3339";
  cluster_.Mimeo({"export", job, "--to", "safetensors", "--out", cluster_.dir() + "/model.safetensors"});
  cluster_.Mimeo({"export", cluster_.dir() + "/model.safetensors", "--to", "hf", "--out", cluster_.dir() + "/encoder"});
  EXPECT_TRUE(FileExists(cluster_.dir() + "/encoder/config.json"));
  cluster_.Mimeo({"reconstruct", "--weights", cluster_.dir() + "/model.safetensors", "--images",
                  ExamplePhotos("validation"), "--out", cluster_.dir() + "/pngs", "--count", "2"});
  const nlohmann::json knn = nlohmann::json::parse(cluster_.Mimeo(
      {"evaluate", "knn", "--weights", cluster_.dir() + "/encoder", "--data", ExamplePhotos("validation"), "--bank",
       ExamplePhotos("train"), "--max_images", "60", "-o", "json"}));
  EXPECT_GT(knn["knn_accuracy"].get<double>(), 0);
}

TEST_F(ClientCommandsTest, AJobWaitsPausesGoesOnAndIsCancelled) {
  const std::string wide = Submit(3, 10);
  EXPECT_THAT(cluster_.Mimeo({"explain", wide}), HasSubstr("needs 3 slots"));
  EXPECT_THAT(cluster_.Mimeo({"cancel", wide}), HasSubstr("cancelled"));
  cluster_.Mimeo({"watch", wide}, 1);

  const std::string job = Submit(1, 400);
  cluster_.Await(job, "its third step", [](const Job& now) { return now.step() >= 3; });
  EXPECT_THAT(cluster_.Mimeo({"workers"}), HasSubstr("w0"));
  EXPECT_EQ(Json({"workers"})["workers"][0]["slots_busy"], 1);
  cluster_.Mimeo({"pause", job});
  const Job paused = cluster_.Await(job, "paused", [](const Job& now) { return now.state() == JOB_STATE_PAUSED; });
  EXPECT_GT(paused.checkpoint_step(), 0);
  EXPECT_EQ(Json({"workers"})["workers"][0]["slots_busy"], 0);
  cluster_.Mimeo({"resume", job});
  const Job again =
      cluster_.Await(job, "a step beyond", [&](const Job& now) { return now.step() > paused.checkpoint_step(); });
  EXPECT_EQ(again.generation(), 2);
  cluster_.Mimeo({"cancel", job});
  EXPECT_THAT(cluster_.Mimeo({"teachers"}), HasSubstr("TEACHER"));
}

TEST_F(ClientCommandsTest, ExitCodesSayWhoseFaultItWas) {
  cluster_.Mimeo({"show", "j99"}, 2);
  cluster_.Mimeo({"submit", Recipe(1, 10), "--set", "objective[pixels].weight=-1"}, 2);
  cluster_.Mimeo({"submit", "/nowhere/recipe"}, 2);
  cluster_.Mimeo({"no-such-verb"}, 2);
  cluster_.Mimeo({"export", "j99", "--out", cluster_.dir() + "/x"}, 2);
  cluster_.Mimeo({"export", Recipe(1, 10), "--step", "5", "--out", cluster_.dir() + "/x"}, 2);
  cluster_.Mimeo({"run", "--help"}, 0);
  cluster_.Kill("coordinator");
  cluster_.Mimeo({"list"}, 3);
  cluster_.Mimeo({"watch", "j1"}, 3);
}

// A path that only the worker can see to be wrong fails the job at once, with the field, and not after restarts.
TEST_F(ClientCommandsTest, AJobWithoutItsPhotosFailsAtOnceAndSaysWhy) {
  const std::string job = std::string(
      absl::StripAsciiWhitespace(cluster_.Mimeo({"submit", Recipe(1, 10), "--data", cluster_.dir() + "/no-photos"})));
  const Job failed = cluster_.Await(job, "failed", [](const Job& now) { return now.state() == JOB_STATE_FAILED; });
  EXPECT_EQ(failed.generation(), 1);
  EXPECT_THAT(failed.reason(), HasSubstr("data.path"));
  EXPECT_THAT(failed.reason(), HasSubstr("no-photos"));
}

}  // namespace
}  // namespace mimeo
