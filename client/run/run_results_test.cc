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

TEST(EvaluationSummaryTest, SetsBeforeBesideAfterAndBaselinesBesideThem) {
  const EvaluationResult before =
      Evaluation(0, {{"knn_accuracy", 0.22}, {"majority_rate", 0.2}, {"knn_raw_pixels", 0.45}, {"held_out_loss/pixels", 1.6}});
  const EvaluationResult after = Evaluation(90, {{"knn_accuracy", 0.29}, {"majority_rate", 0.2}, {"knn_raw_pixels", 0.45},
                                                 {"held_out_loss/pixels", 0.7}, {"held_out_loss/mimic", 0.5}});
  EXPECT_EQ(EvaluationSummary({before, after}),
            "k-NN accuracy on held-out images: 0.220 untrained, 0.290 after 90 steps\n"
            "  beside it: majority class 0.200, k-NN on raw pixels 0.450 (which a few minutes of masked autoencoding need not beat)\n"
            "held-out loss of mimic: 0.500 after 90 steps\n"
            "held-out loss of pixels: 1.600 untrained, 0.700 after 90 steps\n");
}

TEST(EvaluationSummaryTest, SaysNothingThatWasNotMeasured) {
  EXPECT_EQ(EvaluationSummary({}), "");
  EXPECT_EQ(EvaluationSummary({Evaluation(5, {{"held_out_loss/pixels", 0.5}})}), "held-out loss of pixels: 0.500 after 5 steps\n");
}

TEST(LogTailTest, HoldsTheLastDozenLines) {
  const TempDir dir;
  const std::string path = dir.path() + "/log";
  EXPECT_EQ(LogTail(path), "") << "no such file";
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  EXPECT_EQ(LogTail(path), "");
  ASSERT_TRUE(WriteFileAtomic(path, "one\ntwo\n\n").ok());
  EXPECT_EQ(LogTail(path), "\n  | one\n  | two");
  std::string text(1 << 20, 'x');
  for (int i = 1; i <= 20; ++i) absl::StrAppend(&text, "\nline ", i);
  ASSERT_TRUE(WriteFileAtomic(path, text).ok());
  std::string expected;
  for (int i = 9; i <= 20; ++i) absl::StrAppend(&expected, "\n  | line ", i);
  EXPECT_EQ(LogTail(path), expected);
}

}  // namespace
}  // namespace mimeo
