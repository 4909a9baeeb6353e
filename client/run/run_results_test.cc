#include "client/run/run_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "client/run/log_tail.h"

namespace mimeo {
namespace {

EvaluationResult Evaluation(int64_t step, const std::map<std::string, double>& values) {
  EvaluationResult evaluation;
  evaluation.set_step(step);
  evaluation.mutable_values()->insert(values.begin(), values.end());
  return evaluation;
}

TEST(EvaluationSummaryTest, SetsWhatToJudgeByBesideTheEncoder) {
  const EvaluationResult before = Evaluation(0, {{"knn_accuracy", 0.22},
                                                 {"knn_teacher/mimic", 0.41},
                                                 {"majority_rate", 0.2},
                                                 {"knn_raw_pixels", 0.45},
                                                 {"held_out_loss/pixels", 1.6}});
  const EvaluationResult after = Evaluation(90, {{"knn_accuracy", 0.29},
                                                 {"ema_knn_accuracy", 0.3},
                                                 {"knn_teacher/mimic", 0.41},
                                                 {"majority_rate", 0.2},
                                                 {"knn_raw_pixels", 0.45},
                                                 {"held_out_loss/pixels", 0.7},
                                                 {"held_out_loss/mimic", 0.5}});
  EXPECT_EQ(EvaluationSummary({before, after}),
            "k-NN accuracy on held-out images\n"
            "  encoder, after 90 steps      0.290\n"
            "  its average                  0.300\n"
            "  teacher of mimic             0.410\n"
            "  encoder, untrained           0.220\n"
            "  raw pixels                   0.450\n"
            "  majority class               0.200\n"
            "held-out loss of mimic: 0.500 after 90 steps\n"
            "held-out loss of pixels: 1.600 untrained, 0.700 after 90 steps\n");
}

TEST(EvaluationSummaryTest, SaysNothingThatWasNotMeasured) {
  EXPECT_EQ(EvaluationSummary({}), "");
  EXPECT_EQ(EvaluationSummary({Evaluation(5, {{"held_out_loss/pixels", 0.5}})}),
            "held-out loss of pixels: 0.500 after 5 steps\n");
}

TEST(LogTailTest, HoldsTheLastDozenLines) {
  const TempDir dir;
  const std::string path = dir.path() + "/log";
  EXPECT_EQ(LogTail(path), "") << "no such file";
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  EXPECT_EQ(LogTail(path), "");
  ASSERT_TRUE(WriteFileAtomic(path, "one\ntwo\n\n").ok());
  EXPECT_EQ(LogTail(path), "\n  | one\n  | two");
  ASSERT_TRUE(WriteFileAtomic(path, "caf\xe9.jpg \x1b[31m\r\n").ok());
  EXPECT_EQ(LogTail(path), "\n  | caf\\xe9.jpg \\x1b[31m") << "logs are bytes";
  std::string text(1 << 20, 'x');
  for (int i = 1; i <= 20; ++i) absl::StrAppend(&text, "\nline ", i);
  ASSERT_TRUE(WriteFileAtomic(path, text).ok());
  std::string expected;
  for (int i = 9; i <= 20; ++i) absl::StrAppend(&expected, "\n  | line ", i);
  EXPECT_EQ(LogTail(path), expected);
}

}  // namespace
}  // namespace mimeo
