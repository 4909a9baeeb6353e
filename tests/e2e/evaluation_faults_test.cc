// What evaluations bear: fewer images than ranks, images without a label, a teacher that is away, weights that are no
// numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/safetensors.h"
#include "base/testing/status_matchers.h"
#include "data/dataset.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EvaluationFaultsTest : public ::testing::Test {
 protected:
  void Start(int slots) {
    cluster_.StartCoordinator();
    cluster_.StartWorker("w0", slots);
  }

  // Class folders below dir()/NAME with the first `count` example photos of each of the first `classes` classes.
  std::string Photos(const std::string& name, int classes, int count) {
    const std::string root = absl::StrCat(cluster_.dir(), "/", name);
    const auto photos = *Dataset::Open(ExamplePhotos("validation"));
    std::map<int, int> written;
    for (int64_t sample = 0; sample < photos->size(); ++sample) {
      const int label = photos->label(sample);
      if (label >= classes || written[label] == count) continue;
      const std::string folder = absl::StrCat(root, "/class", label);
      EXPECT_OK(MakeDirs(folder));
      EXPECT_OK(WriteFileAtomic(absl::StrCat(folder, "/", written[label]++, ".jpg"), *photos->Read(sample)));
    }
    return root;
  }

  JobSpec EvaluatedJob(int ranks, int64_t steps, const std::string& held_out, const std::string& bank) {
    JobSpec spec = TinyJob(ranks, steps);
    spec.mutable_evaluation()->set_path(held_out);
    spec.mutable_evaluation()->set_bank_path(bank);
    return spec;
  }

  // By step.
  std::map<int64_t, nlohmann::json> Evaluations(const std::string& job_id) {
    std::map<int64_t, nlohmann::json> evaluations;
    for (const absl::string_view line :
         absl::StrSplit(cluster_.Mimeo({"metrics", job_id, "-o", "json"}), '\n', absl::SkipEmpty())) {
      const nlohmann::json json = nlohmann::json::parse(line);
      if (json.contains("images") && !json.contains("loss")) evaluations[json.at("step")] = json;
    }
    return evaluations;
  }

  // Of a job of two steps, in Hugging Face's layout.
  std::string Weights() {
    const std::string id = cluster_.Submit(TinyJob(1, 2));
    cluster_.AwaitSuccess(id);
    const std::string weights = cluster_.dir() + "/weights";
    cluster_.Mimeo({"export", id, "--to", "hf", "--out", weights});
    cluster_.Mimeo({"export", id, "--to", "safetensors", "--out", cluster_.dir() + "/model.safetensors"});
    return weights;
  }

  LocalCluster cluster_;
};

TEST_F(EvaluationFaultsTest, FewerHeldOutImagesThanRanks) {
  Start(2);
  const std::string bank = Photos("bank", 2, 6), one = Photos("one", 1, 1);
  const std::string id = cluster_.Submit(EvaluatedJob(2, 2, one, bank));
  cluster_.AwaitSuccess(id);
  const auto evaluations = Evaluations(id);
  ASSERT_EQ(evaluations.size(), 2u);
  for (const auto& [step, values] : evaluations) {
    EXPECT_EQ(values.at("images"), 1) << step;
    EXPECT_EQ(values.at("bank_images"), 12) << step;
    EXPECT_EQ(values.at("knn_k"), 12) << "all of a bank that has fewer than k";
    EXPECT_TRUE(values.contains("knn_accuracy")) << step;
  }
  // The same by max_images, of sets that have more.
  JobSpec few = EvaluatedJob(2, 2, Photos("held_out", 2, 6), bank);
  few.mutable_evaluation()->set_max_images(1);
  const std::string second = cluster_.Submit(few);
  cluster_.AwaitSuccess(second);
  EXPECT_EQ(Evaluations(second).at(2).at("images"), 1);
}

// Found before the training, left out of k-NN, and counted. So is a class that only one set has.
TEST_F(EvaluationFaultsTest, AnImageWithoutLabelIsLeftOutAndCounted) {
  Start(1);
  const std::string held_out = Photos("held_out", 2, 4), bank = Photos("bank", 2, 6);
  const auto photos = *Dataset::Open(ExamplePhotos("validation"));
  ASSERT_OK(WriteFileAtomic(held_out + "/none.jpg", *photos->Read(0)));
  ASSERT_OK(WriteFileAtomic(bank + "/neither.jpg", *photos->Read(0)));
  JobSpec spec = EvaluatedJob(1, 2, held_out, bank);
  spec.mutable_evaluation()->set_at_start(false);
  const std::string id = cluster_.Submit(spec);
  cluster_.AwaitSuccess(id);
  const nlohmann::json values = Evaluations(id).at(2);
  EXPECT_EQ(values.at("images"), 9);
  EXPECT_EQ(values.at("unlabelled"), 1);
  EXPECT_EQ(values.at("bank_images"), 12);
  EXPECT_EQ(values.at("majority_rate"), 0.5);
}

TEST_F(EvaluationFaultsTest, WhatCannotBeMeasuredIsFoundBeforeTraining) {
  Start(1);
  const std::string held_out = cluster_.dir() + "/broken";
  ASSERT_OK(MakeDirs(held_out));
  ASSERT_OK(WriteFileAtomic(held_out + "/a.jpg", "text"));
  JobSpec spec = EvaluatedJob(1, 2, held_out, Photos("bank", 2, 6));
  spec.mutable_evaluation()->set_at_start(false);
  const std::string id = cluster_.Submit(spec);
  const Job failed = cluster_.Await(id, "failed", [](const Job& job) { return job.state() == JOB_STATE_FAILED; });
  EXPECT_EQ(failed.step(), 0);
  EXPECT_THAT(failed.reason(), HasSubstr("evaluation.path: none of its 1 images can be decoded; the first: a.jpg"));
}

// The first names are the first classes: of those the most frequent one is most of the set.
TEST_F(EvaluationFaultsTest, MaxImagesIsSpreadOverTheClasses) {
  Start(1);
  const std::string weights = Weights();
  std::vector<std::string> knn = {
      "evaluate",           "knn", "--weights", weights, "--data", Photos("held_out", 5, 8), "--bank",
      Photos("bank", 5, 8), "-o",  "json"};
  const nlohmann::json all = nlohmann::json::parse(cluster_.Mimeo(knn));
  EXPECT_EQ(all.at("images"), 40);
  EXPECT_EQ(all.at("majority_rate"), 0.2);
  knn.insert(knn.end(), {"--max_images", "10"});
  const nlohmann::json some = nlohmann::json::parse(cluster_.Mimeo(knn));
  EXPECT_EQ(some.at("images"), 10);
  EXPECT_EQ(some.at("bank_images"), 10);
  EXPECT_EQ(some.at("majority_rate"), 0.2) << "two of each class";
  EXPECT_EQ(some.at("k"), 10);
  EXPECT_EQ(some.at("knn_accuracy"), some.at("knn_accuracy_patch_mean"));
}

// Its stderr; a failed test when it exits with another code.
std::string ErrorsOf(const std::vector<std::string>& args, int exit_code, const std::string& log) {
  Subprocess::Options options;
  options.argv = {*FindBinary("mimeo")};
  options.argv.insert(options.argv.end(), args.begin(), args.end());
  options.output_path = log;
  const auto child = *Subprocess::Start(options);
  const auto ended = child->Wait(Clock::Real()->Now() + absl::Minutes(2));
  EXPECT_TRUE(ended.ok() && ended->signal == 0 && ended->code == exit_code)
      << args[0] << " " << (ended.ok() ? ended->ToString() : "");
  return ReadFile(log).value();
}

// A copy of the file in which the tensor's fourth value is NaN.
void WriteWithNan(const std::string& from, const std::string& tensor, const std::string& to) {
  const auto file = *SafetensorsFile::Open(from);
  auto tensors = file->view().tensors();
  ASSERT_EQ(tensors.count(tensor), 1u) << tensor;
  std::string bytes(tensors.at(tensor).bytes);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + 3 * sizeof(nan), &nan, sizeof(nan));
  tensors.at(tensor).bytes = bytes;
  ASSERT_OK(WriteFileAtomic(to, SerializeSafetensors(tensors, file->view().metadata())));
}

TEST_F(EvaluationFaultsTest, WeightsThatAreNoNumbersAreRefusedByName) {
  Start(1);
  const std::string dir = cluster_.dir(), weights = Weights(), photos = Photos("photos", 2, 3),
                    broken = dir + "/broken.safetensors";
  WriteWithNan(dir + "/model.safetensors", "encoder.norm.weight", broken);
  const std::string reason = "encoder.norm.weight holds 1 of 64 values that are not finite, the first of them nan at 3";
  EXPECT_THAT(ErrorsOf({"embed", "--weights", broken, "--images", photos, "--out", dir + "/f"}, 2, dir + "/1.log"),
              HasSubstr(reason));
  EXPECT_THAT(ErrorsOf({"evaluate", "knn", "--weights", broken, "--data", photos, "--bank", photos}, 2, dir + "/2.log"),
              HasSubstr(reason));
  EXPECT_THAT(
      ErrorsOf({"reconstruct", "--weights", broken, "--images", photos, "--out", dir + "/r"}, 2, dir + "/3.log"),
      HasSubstr(reason));
  EXPECT_THAT(ErrorsOf({"export", broken, "--to", "hf", "--out", dir + "/e"}, 2, dir + "/4.log"), HasSubstr(reason));
  EXPECT_FALSE(FileExists(dir + "/f"));
  JobSpec spec = TinyJob(1, 2);
  spec.set_init_weights(broken);
  const std::string id = cluster_.Submit(spec);
  const Job failed = cluster_.Await(id, "failed", [](const Job& job) { return job.state() == JOB_STATE_FAILED; });
  EXPECT_THAT(failed.reason(), HasSubstr(reason));
  EXPECT_EQ(failed.step(), 0);
}

// No tensor is as large as crops of that size: a person hears the range, and no words of libtorch.
TEST_F(EvaluationFaultsTest, ASizeThatCannotBeIsRefusedInWords) {
  Start(1);
  const std::string weights = Weights(), photos = Photos("photos", 2, 3);
  Subprocess::Options options;
  options.argv = {*FindBinary("worker"), "embed",      "--weights", weights, "--images", photos, "--out",
                  cluster_.dir() + "/f", "--image_px", "8000000"};
  options.output_path = cluster_.dir() + "/embed.log";
  const auto child = *Subprocess::Start(options);
  ASSERT_OK_AND_ASSIGN(const ExitStatus ended, child->Wait(Clock::Real()->Now() + absl::Minutes(1)));
  EXPECT_EQ(ended.ToString(), "exited with code 2");
  const std::string said = ReadFile(options.output_path).value();
  EXPECT_THAT(said, HasSubstr("--image_px: \"8000000\" is not a number from 0 to 4096"));
  EXPECT_THAT(said, Not(HasSubstr("frame #")));
}

class PausedEvaluationTest : public EvaluationFaultsTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, PausedEvaluationTest, ::testing::Values(1, 2));

// The evaluation of the untrained encoder waits for a teacher that died. A pause ends that within seconds, on all
// ranks; the resume makes the evaluation again.
TEST_P(PausedEvaluationTest, EndsWithinSecondsWhileItsTeacherIsAway) {
  const int ranks = GetParam();
  Start(ranks);
  const std::string weights = Weights();
  cluster_.StartTeacher("frozen", weights);
  JobSpec spec = EvaluatedJob(ranks, 3, ExamplePhotos("validation"), ExamplePhotos("train"));
  AddMimic("frozen", &spec);
  const std::string id = cluster_.Submit(spec);
  cluster_.Await(id, "training, which an evaluation begins", [&](const Job& job) {
    int training = 0;
    for (const RankStatus& rank : job.ranks()) training += rank.phase() == RANK_PHASE_TRAINING ? 1 : 0;
    return training == ranks;
  });
  cluster_.Kill("frozen");
  cluster_.Await(id, "waiting for the teacher", [&](const Job& job) {
    int waiting = 0;
    for (const RankStatus& rank : job.ranks()) waiting += absl::StrContains(rank.waiting_for(), "frozen") ? 1 : 0;
    return waiting == ranks;
  });
  const absl::Time asked = Clock::Real()->Now();
  cluster_.Mimeo({"pause", id});
  const Job paused = cluster_.Await(id, "paused", [](const Job& job) { return job.state() == JOB_STATE_PAUSED; });
  EXPECT_LT(Clock::Real()->Now() - asked, absl::Seconds(20));
  EXPECT_EQ(paused.step(), 0);
  EXPECT_TRUE(Evaluations(id).empty()) << "it was stopped, and is not reported";
  cluster_.StartTeacher("frozen", weights);
  cluster_.Mimeo({"resume", id});
  cluster_.AwaitSuccess(id);
  const auto evaluations = Evaluations(id);
  ASSERT_EQ(evaluations.size(), 2u);
  EXPECT_TRUE(evaluations.at(0).contains("knn_teacher/mimic"));
  EXPECT_TRUE(evaluations.at(3).contains("held_out_loss/mimic"));
}

}  // namespace
}  // namespace mimeo
