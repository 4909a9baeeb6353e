#include "client/evaluation_summary.h"

#include <gtest/gtest.h>

#include <map>

namespace mimeo {
namespace {

EvaluationResult At(int64_t step, const std::map<std::string, double>& values) {
  EvaluationResult evaluation;
  evaluation.set_step(step);
  for (const auto& [name, value] : values) (*evaluation.mutable_values())[name] = value;
  return evaluation;
}

EvaluationResult Before() {
  return At(0, {{"knn_accuracy", 0.22},
                {"knn_teacher/mimic", 0.41},
                {"majority_rate", 0.2},
                {"knn_raw_pixels", 0.45},
                {"bank_images", 874},
                {"effective_rank", 3.5},
                {"held_out_loss/pixels", 1.6}});
}

EvaluationResult After(int64_t step) {
  return At(step, {{"knn_accuracy", 0.29},
                   {"ema_knn_accuracy", 0.3},
                   {"knn_teacher/mimic", 0.41},
                   {"majority_rate", 0.2},
                   {"knn_raw_pixels", 0.45},
                   {"knn_k", 20},
                   {"held_out_loss/pixels", 0.7},
                   {"held_out_loss/mimic", 0.5}});
}

TEST(EvaluationSummaryTest, SetsWhatToJudgeByBesideTheEncoder) {
  EXPECT_EQ(EvaluationSummary({Before(), After(90)}, StartKind::kUntrained),
            "k-NN accuracy on held-out images\n"
            "  encoder, after 90 steps      0.290\n"
            "  its average                  0.300\n"
            "  teacher of mimic             0.410\n"
            "  untrained encoder            0.220\n"
            "  raw pixels                   0.450\n"
            "  most frequent class          0.200\n"
            "held-out loss of mimic: 0.500 after 90 steps\n"
            "held-out loss of pixels: 1.600 of the untrained encoder, 0.700 after 90 steps\n");
}

TEST(EvaluationSummaryTest, StartingWeightsAreNoUntrainedEncoderAndOneStepIsOne) {
  EXPECT_EQ(EvaluationSummary({Before(), At(1, {{"knn_accuracy", 0.29}, {"held_out_loss/pixels", 0.7}})},
                              StartKind::kWeights),
            "k-NN accuracy on held-out images\n"
            "  encoder, after 1 step        0.290\n"
            "  weights it started from      0.220\n"
            "held-out loss of pixels: 1.600 of the weights it started from, 0.700 after 1 step\n");
}

TEST(EvaluationSummaryTest, SaysNothingThatWasNotMeasured) {
  EXPECT_EQ(EvaluationSummary({}, StartKind::kUntrained), "");
  EXPECT_EQ(EvaluationSummary({At(5, {{"held_out_loss/pixels", 0.5}})}, StartKind::kUntrained),
            "held-out loss of pixels: 0.500 after 5 steps\n");
}

TEST(EvaluationLineTest, SaysAccuraciesWithWhatToCompareThemToAndNoNameOfANumber) {
  EXPECT_EQ(EvaluationLine(Before(), StartKind::kUntrained),
            "evaluation of the untrained encoder: k-NN is right for 22.0 % of the held-out images (teacher of mimic "
            "41.0 %, raw pixels 45.0 %, most frequent class 20.0 %); held-out loss of pixels 1.600");
  EXPECT_EQ(EvaluationLine(At(0, {{"knn_accuracy", 0.5}}), StartKind::kWeights),
            "evaluation of the weights it started from: k-NN is right for 50.0 % of the held-out images");
  EXPECT_EQ(EvaluationLine(At(7, {{"held_out_loss/contrast", 4}, {"effective_rank", 2}}), StartKind::kWeights),
            "evaluation at step 7: held-out loss of contrast 4.000");
  EXPECT_EQ(EvaluationLine(At(7, {{"effective_rank", 2}}), StartKind::kUntrained), "evaluation at step 7");
}

}  // namespace
}  // namespace mimeo
