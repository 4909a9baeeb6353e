#include "evaluation/linear_probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// Rows of three classes around three corners, `noise` away from them.
at::Tensor Corners(int64_t rows, double noise, double phase) {
  at::Tensor x = noise * at::sin(at::arange(rows * 4, at::kDouble) * 2.3 + phase).view({rows, 4});
  for (int64_t n = 0; n < rows; ++n) x[n][n % 3] += 1;
  return x;
}

std::vector<int> LabelsOf(int64_t rows) {
  std::vector<int> labels;
  for (int64_t n = 0; n < rows; ++n) labels.push_back(static_cast<int>(n % 3));
  return labels;
}

std::vector<std::string> NamesOf(int64_t rows) {
  std::vector<std::string> names;
  for (int64_t n = 0; n < rows; ++n) names.push_back(absl::StrCat("photo", n, ".jpg"));
  return names;
}

TEST(LinearProbeTest, SeparatesWhatIsSeparable) {
  ASSERT_OK_AND_ASSIGN(const LinearProbe probe, ProbeLinearly(Corners(60, 0.2, 0), LabelsOf(60), NamesOf(60),
                                                              Corners(30, 0.2, 1), LabelsOf(30)));
  EXPECT_EQ(Accuracy(probe.answers), 1);
  // Scale and place of the features do not matter.
  ASSERT_OK_AND_ASSIGN(const LinearProbe moved, ProbeLinearly(Corners(60, 0.2, 0) * 1e3 + 7, LabelsOf(60), NamesOf(60),
                                                              Corners(30, 0.2, 1) * 1e3 + 7, LabelsOf(30)));
  EXPECT_EQ(Accuracy(moved.answers), 1);
}

// Corners that no line parts well: the noise is of a kind that repeats nowhere.
at::Tensor Blurred(int64_t rows, double phase) {
  const at::Tensor k = at::arange(rows * 4, at::kDouble);
  return Corners(rows, 0, phase) + 1.5 * at::sin(k * k * 0.7131 + phase).view({rows, 4});
}

// The order of the rows chooses nothing: neither the fifth that judges the strengths nor the answer.
TEST(LinearProbeTest, TheOrderOfTheBankDoesNotMatter) {
  const at::Tensor bank = Blurred(100, 0), query = Blurred(300, 1);
  const std::vector<int> labels = LabelsOf(100);
  ASSERT_OK_AND_ASSIGN(const LinearProbe probe, ProbeLinearly(bank, labels, NamesOf(100), query, LabelsOf(300)));
  EXPECT_GT(Accuracy(probe.answers), 0.4);
  EXPECT_LT(Accuracy(probe.answers), 0.95);
  for (const int64_t step : {7, 31, 99}) {  // every one prime to 100
    std::vector<int64_t> order;
    for (int64_t n = 0; n < 100; ++n) order.push_back(n * step % 100);
    std::vector<int> moved_labels;
    std::vector<std::string> moved_names;
    for (const int64_t n : order) moved_labels.push_back(labels[n]), moved_names.push_back(NamesOf(100)[n]);
    ASSERT_OK_AND_ASSIGN(const LinearProbe moved, ProbeLinearly(bank.index_select(0, at::tensor(order, at::kLong)),
                                                                moved_labels, moved_names, query, LabelsOf(300)));
    EXPECT_EQ(moved.strength, probe.strength) << step;
    EXPECT_NEAR(moved.bank_loss, probe.bank_loss, 1e-6) << step;
    EXPECT_NEAR(Accuracy(moved.answers), Accuracy(probe.answers), 1.0 / 300 + 1e-12)
        << step;  // rows are summed in another order
  }
}

// The same minimum by plain gradient descent, written out in doubles.
TEST(LinearProbeTest, FindsTheMinimumThatGradientDescentFinds) {
  constexpr int64_t kRows = 24, kClasses = 3, kWidth = 4;
  constexpr double kStrength = 0.01;
  const at::Tensor x = Corners(kRows, 0.9, 0);
  const std::vector<int> labels = LabelsOf(kRows);
  double w[kClasses][kWidth + 1] = {};
  double loss = 0;
  for (int iteration = 0; iteration < 20000; ++iteration) {
    double gradient[kClasses][kWidth + 1] = {};
    loss = 0;
    for (int64_t n = 0; n < kRows; ++n) {
      double scores[kClasses], sum = 0;
      const auto value = [&](int64_t d) { return d < kWidth ? x.const_data_ptr<double>()[n * kWidth + d] : 1.0; };
      for (int64_t c = 0; c < kClasses; ++c) {
        scores[c] = 0;
        for (int64_t d = 0; d <= kWidth; ++d) scores[c] += w[c][d] * value(d);
        sum += std::exp(scores[c]);
      }
      loss -= (scores[labels[n]] - std::log(sum)) / kRows;
      for (int64_t c = 0; c < kClasses; ++c) {
        const double error = std::exp(scores[c]) / sum - (labels[n] == c ? 1 : 0);
        for (int64_t d = 0; d <= kWidth; ++d) gradient[c][d] += error * value(d) / kRows;
      }
    }
    for (int64_t c = 0; c < kClasses; ++c) {
      for (int64_t d = 0; d < kWidth; ++d) {
        loss += kStrength / 2 * w[c][d] * w[c][d], gradient[c][d] += kStrength * w[c][d];
      }
      for (int64_t d = 0; d <= kWidth; ++d) w[c][d] -= gradient[c][d];
    }
  }
  const at::Tensor label_tensor = at::tensor(std::vector<int64_t>(labels.begin(), labels.end()), at::kLong);
  const LogisticFit fit = FitLogistic(x, label_tensor, kClasses, kStrength);
  EXPECT_NEAR(fit.loss, loss, 1e-9);
  for (int64_t c = 0; c < kClasses; ++c) {
    for (int64_t d = 0; d < kWidth; ++d) EXPECT_NEAR(fit.weight_CD[c][d].item<double>(), w[c][d], 1e-5);
  }
}

// Fewer rows than they are wide, as raw pixels are: solved in fewer coordinates, the same minimum and the same answers.
TEST(LinearProbeTest, WideRowsHaveTheMinimumOfTheirOwnWidth) {
  const auto wide = [](int64_t rows, double phase) {
    const at::Tensor noise = at::sin(at::arange(rows * 50, at::kDouble) * 1.7 + phase).view({rows, 50});
    return at::cat({Corners(rows, 0.9, phase), noise}, 1);
  };
  const at::Tensor bank = wide(30, 0), query = wide(60, 1);
  ASSERT_OK_AND_ASSIGN(const LinearProbe probe, ProbeLinearly(bank, LabelsOf(30), NamesOf(30), query, LabelsOf(60)));
  const at::Tensor mean = bank.mean(0), deviation = bank.std(0, /*unbiased=*/false);
  const std::vector<int> labels = LabelsOf(30), query_labels = LabelsOf(60);
  const LogisticFit direct =
      FitLogistic((bank - mean) / deviation, at::tensor(std::vector<int64_t>(labels.begin(), labels.end()), at::kLong),
                  3, probe.strength);
  EXPECT_NEAR(probe.bank_loss, direct.loss, 1e-9);
  const at::Tensor scores = at::linear((query - mean) / deviation, direct.weight_CD, direct.bias_C);
  const at::Tensor right =
      scores.argmax(1).eq(at::tensor(std::vector<int64_t>(query_labels.begin(), query_labels.end()), at::kLong));
  EXPECT_NEAR(Accuracy(probe.answers), right.to(at::kDouble).mean().item<double>(), 1e-12);
  EXPECT_GT(Accuracy(probe.answers), 0.5);
  EXPECT_LT(Accuracy(probe.answers), 1);
}

TEST(LinearProbeTest, AClassThatTheBankLacksIsAWrongAnswer) {
  std::vector<int> labels = LabelsOf(30);
  labels[0] = 9;
  ASSERT_OK_AND_ASSIGN(const LinearProbe probe,
                       ProbeLinearly(Corners(60, 0.2, 0), LabelsOf(60), NamesOf(60), Corners(30, 0.2, 1), labels));
  EXPECT_NEAR(Accuracy(probe.answers), 29.0 / 30, 1e-12);
}

TEST(LinearProbeTest, SaysWhatItCannotUse) {
  const at::Tensor rows = Corners(30, 0.2, 0);
  EXPECT_THAT(ProbeLinearly(rows.slice(0, 0, 5), LabelsOf(5), NamesOf(5), rows, LabelsOf(30)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("5 rows; at least 10")));
  EXPECT_THAT(ProbeLinearly(rows, std::vector<int>(30, -1), NamesOf(30), rows, LabelsOf(30)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("no label")));
  EXPECT_THAT(ProbeLinearly(rows, LabelsOf(30), NamesOf(30), rows.slice(1, 0, 3), LabelsOf(30)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("4 wide, the queries' 3")));
  EXPECT_THAT(ProbeLinearly(rows, LabelsOf(30), NamesOf(29), rows, LabelsOf(30)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("30 labels and 29 names")));
  at::Tensor broken = rows.clone();
  broken[3][1] = std::nan("");
  EXPECT_THAT(ProbeLinearly(broken, LabelsOf(30), NamesOf(30), rows, LabelsOf(30)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::HasSubstr("bank: the features hold 1 of 120 values that are not finite")));
}

}  // namespace
}  // namespace mimeo
