// A shell script stands in the worker's place; tests/e2e has a run that is judged.
#include "client/auto/judge_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

EvaluationResult At(int64_t step, const std::map<std::string, double>& values) {
  EvaluationResult evaluation;
  evaluation.set_step(step);
  for (const auto& [name, value] : values) (*evaluation.mutable_values())[name] = value;
  return evaluation;
}

std::string WithoutLabels(const std::vector<EvaluationResult>& evaluations) {
  return absl::StrJoin(VerdictWithoutLabels(evaluations, "/out/encoder"), "\n");
}

TEST(VerdictWithoutLabelsTest, SaysThatNobodyCanTellAndWhatTheLossDid) {
  EXPECT_THAT(WithoutLabels({At(0, {{"held_out_loss/contrast", 4.0}}), At(9, {{"held_out_loss/contrast", 2.5}})}),
              AllOf(HasSubstr("Nobody can tell"),
                    HasSubstr("The held-out loss of contrast went from 4.000 to 2.500, so something was learned")));
  EXPECT_THAT(WithoutLabels({At(0, {{"held_out_loss/contrast", 4.0}}), At(9, {{"held_out_loss/contrast", 4.01}})}),
              HasSubstr("which is no change"));
  EXPECT_THAT(WithoutLabels({At(0, {{"held_out_loss/contrast", 4.0}}), At(9, {{"held_out_loss/contrast", 5.0}})}),
              HasSubstr("does not hold"));
  EXPECT_THAT(WithoutLabels({}), AllOf(HasSubstr("Nobody can tell"), Not(HasSubstr("loss"))));
}

class JudgeRunTest : public ::testing::Test {
 protected:
  JudgeRunTest() {
    EXPECT_EQ(setenv("MIMEO_BIN_DIR", bin_.path().c_str(), 1), 0);
    plan_.out = dir_.path();
    EXPECT_TRUE(MakeDirs(dir_.path() + "/logs").ok());
    plan_.spec.mutable_data()->set_path("/photos");
    plan_.spec.mutable_evaluation()->set_hold_out(0.1);
  }
  ~JudgeRunTest() override { unsetenv("MIMEO_BIN_DIR"); }

  RunVerdict Judge(const std::string& script, const std::vector<EvaluationResult>& evaluations) {
    const std::string path = JoinPath(bin_.path(), "worker");
    EXPECT_TRUE(WriteFileAtomic(path, absl::StrCat("#!/bin/sh\n", script)).ok());
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    const auto verdict = JudgeRun(plan_, evaluations);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.value_or(RunVerdict());
  }

  const TempDir bin_;
  const TempDir dir_;
  const std::vector<EvaluationResult> labelled_ = {At(0, {{"knn_accuracy", 0.2}}), At(9, {{"knn_accuracy", 0.5}})};
  RunPlan plan_;
};

TEST_F(JudgeRunTest, ComparesOnTheHeldOutPhotosAndWritesTheVerdict) {
  const RunVerdict verdict = Judge("echo \"{\\\"said\\\": \\\"$*\\\"}\"", labelled_);
  const auto said = verdict.json["compare"]["said"].get<std::string>();
  EXPECT_THAT(said,
              AllOf(HasSubstr("compare --weights " + dir_.path() + "/encoder"),
                    HasSubstr("--job " + dir_.path() + "/job.textproto"), HasSubstr("--data /photos --hold_out 0.1")));
  EXPECT_THAT(said, Not(HasSubstr("--against")));
  EXPECT_EQ(verdict.lines, verdict.json["lines"].get<std::vector<std::string>>());
  EXPECT_FALSE(verdict.lines.empty());
  const auto written = nlohmann::json::parse(ReadFile(dir_.path() + "/verdict.json").value_or("null"));
  EXPECT_EQ(written["lines"].size(), verdict.lines.size());
}

TEST_F(JudgeRunTest, OtherPhotosJudgeWithTheDataAsTheBank) {
  plan_.spec.mutable_evaluation()->set_path("/others");
  const RunVerdict verdict = Judge("echo \"{\\\"said\\\": \\\"$*\\\"}\"", labelled_);
  EXPECT_THAT(verdict.json["compare"]["said"].get<std::string>(),
              AllOf(HasSubstr("--data /others --bank /photos"), Not(HasSubstr("--hold_out"))));
}

TEST_F(JudgeRunTest, TheTeacherIsComparedToo) {
  plan_.cluster.teachers = {{"dinov2", "/weights/dinov2"}};
  const RunVerdict verdict = Judge("echo \"{\\\"said\\\": \\\"$*\\\"}\"", labelled_);
  EXPECT_THAT(verdict.json["compare"]["said"].get<std::string>(), HasSubstr("--against teacher=/weights/dinov2"));
}

TEST_F(JudgeRunTest, WithoutLabelsNothingIsCompared) {
  const RunVerdict verdict = Judge("exit 1", {At(0, {{"held_out_loss/contrast", 4}})});
  EXPECT_THAT(absl::StrJoin(verdict.lines, "\n"),
              AllOf(HasSubstr("Nobody can tell"), HasSubstr("--weights " + dir_.path() + "/encoder --data judged")));
  EXPECT_FALSE(verdict.json.contains("compare"));
}

TEST_F(JudgeRunTest, AComparisonThatFailsIsSaidAndTheRunGoesOn) {
  const RunVerdict verdict = Judge("echo 'the disk is full' >&2; exit 1", labelled_);
  EXPECT_THAT(absl::StrJoin(verdict.lines, "\n"), AllOf(HasSubstr("There is no verdict"), HasSubstr("disk is full")));
  EXPECT_THAT(ReadFile(dir_.path() + "/logs/tools.log").value_or(""), HasSubstr("disk is full"));
}

}  // namespace
}  // namespace mimeo
