// A job keeps to the teacher that it began with: other weights under its name are refused, and when the right ones are
// back it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kSteps = 60;

class TeacherPinTest : public ::testing::Test {
 protected:
  // Two encoders, and a job that mimics the first, as far as its fifth step.
  void SetUp() override {
    cluster_.StartCoordinator();
    cluster_.StartWorker("w0");
    JobSpec teacher = TinyJob(1, 2);
    teacher.mutable_checkpoint()->set_every_steps(1);
    const std::string teacher_job = cluster_.Submit(teacher);
    cluster_.AwaitSuccess(teacher_job);
    for (const char* const step : {"1", "2"}) {
      const std::string dir = absl::StrCat(cluster_.dir(), "/weights", step);
      cluster_.Mimeo({"export", teacher_job, "--step", step, "--to", "hf", "--out", dir});
      weights_.push_back(dir);
      digests_.push_back(Sha256Hex(ReadFile(JoinPath(dir, "model.safetensors")).value()));
    }
    ASSERT_NE(digests_[0], digests_[1]);
    cluster_.StartTeacher("frozen", weights_[0]);
    JobSpec spec = TinyJob(1, kSteps);
    AddMimic("frozen", &spec);
    job_ = cluster_.Submit(spec);
    const Job begun = cluster_.Await(job_, "the fifth step", [](const Job& job) { return job.step() >= 5; });
    ASSERT_EQ(begun.teachers_size(), 1);
    EXPECT_EQ(begun.teachers(0).precision(), PRECISION_FP32) << "pinned with the rest";
  }
  // Under the same name, at the same address.
  void Serve(int which) {
    cluster_.Kill("frozen");
    cluster_.StartTeacher("frozen", weights_[which]);
  }
  void ExpectRefused() {
    const Job refused = cluster_.Await(job_, "the end of training by another teacher", [](const Job& job) {
      return (job.state() == JOB_STATE_PAUSED || job.state() == JOB_STATE_FAILED) && job.status_code() != 0;
    });
    EXPECT_NE(refused.state(), JOB_STATE_SUCCEEDED);
    EXPECT_THAT(refused.reason(), AllOf(HasSubstr(absl::StrCat("weights_digest is \"", digests_[1])),
                                        HasSubstr(absl::StrCat("was \"", digests_[0]))));
    const auto steps = cluster_.Steps(job_);
    EXPECT_LT(steps.rbegin()->first, kSteps);
  }
  void ExpectToGoOnByTheFirst() {
    Serve(0);
    cluster_.Mimeo({"resume", job_});
    cluster_.AwaitSuccess(job_);
    const auto steps = cluster_.Steps(job_);
    ASSERT_EQ(static_cast<int64_t>(steps.size()), kSteps);
    for (const auto& [step, metrics] : steps) EXPECT_EQ(metrics.terms().count("mimic"), 1u) << step;
  }

  LocalCluster cluster_;
  std::vector<std::string> weights_, digests_;
  std::string job_;
};

TEST_F(TeacherPinTest, OtherWeightsUnderItsNameAreRefusedWhileItTrains) {
  cluster_.Kill("frozen");
  cluster_.Await(job_, "waiting for the teacher", [](const Job& job) {
    return job.ranks_size() == 1 && job.ranks(0).waiting_for().find("frozen") != std::string::npos;
  });
  cluster_.StartTeacher("frozen", weights_[1]);
  ExpectRefused();
}

TEST_F(TeacherPinTest, OtherWeightsAreRefusedWhenItIsResumedAndTheRightOnesAreTaken) {
  cluster_.Mimeo({"pause", job_});
  cluster_.Await(job_, "the pause", [](const Job& job) { return job.state() == JOB_STATE_PAUSED; });
  Serve(1);
  cluster_.Mimeo({"resume", job_});
  ExpectRefused();
  ExpectToGoOnByTheFirst();
}

}  // namespace
}  // namespace mimeo
