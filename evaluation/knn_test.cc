#include "evaluation/knn.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random_key.h"
#include "base/status_macros.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

at::Tensor Rows(const std::vector<std::vector<float>>& rows) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, at::kFloat);
  float* out = tensor.mutable_data_ptr<float>();
  for (const auto& row : rows) out = std::copy(row.begin(), row.end(), out);
  return tensor;
}

std::vector<std::vector<float>> RandomRows(const RandomKey& key, int rows, int width) {
  std::vector<std::vector<float>> result(rows);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < width; ++j) result[i].push_back(static_cast<float>(key.Normal(i * width + j)));
  }
  return result;
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

double NaiveKnn(const std::vector<std::vector<float>>& bank, const std::vector<int>& bank_labels,
                const std::vector<std::vector<float>>& query, const std::vector<int>& query_labels,
                const KnnOptions& options, int classes) {
  int right = 0;
  for (size_t q = 0; q < query.size(); ++q) {
    std::vector<std::pair<double, int>> neighbours;
    for (size_t b = 0; b < bank.size(); ++b) neighbours.emplace_back(-Cosine(query[q], bank[b]), bank_labels[b]);
    std::sort(neighbours.begin(), neighbours.end());
    std::vector<double> votes(classes, 0);
    for (int i = 0; i < std::min<int>(options.k, bank.size()); ++i) {
      votes[neighbours[i].second] += std::exp(-neighbours[i].first / options.temperature);
    }
    right += std::max_element(votes.begin(), votes.end()) - votes.begin() == query_labels[q];
  }
  return static_cast<double>(right) / query.size();
}

absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank, const std::vector<int>& bank_labels, const at::Tensor& query,
                                   const std::vector<int>& query_labels, const KnnOptions& options) {
  ASSIGN_OR_RETURN(const Answers answers, ClassifyByNeighbours(bank, bank_labels, query, query_labels, options));
  EXPECT_EQ(answers.truth, query_labels);
  return Accuracy(answers);
}

TEST(KnnTest, EqualsNaiveLoops) {
  const auto bank = RandomRows(RandomKey(1), 60, 5);
  const auto query = RandomRows(RandomKey(2), 300, 5);  // more than one block of queries
  std::vector<int> bank_labels;
  std::vector<int> query_labels;
  // Labels that the features tell something about, so that the accuracy is neither 0 nor 1.
  for (const auto& row : bank) bank_labels.push_back(row[0] > 0 ? (row[1] > 0 ? 2 : 1) : 0);
  for (const auto& row : query) query_labels.push_back(row[0] > 0 ? (row[1] > 0 ? 2 : 1) : 0);
  for (const KnnOptions& options :
       {KnnOptions{20, 0.07}, KnnOptions{1, 0.07}, KnnOptions{100, 0.5}, KnnOptions{7, 10}}) {
    ASSERT_OK_AND_ASSIGN(const double accuracy,
                         KnnAccuracy(Rows(bank), bank_labels, Rows(query), query_labels, options));
    EXPECT_DOUBLE_EQ(accuracy, NaiveKnn(bank, bank_labels, query, query_labels, options, 3)) << options.k;
    EXPECT_GT(accuracy, 0.4);
    EXPECT_LT(accuracy, 1.0);
  }
}

TEST(KnnTest, LengthsOfRowsDoNotMatter) {
  const at::Tensor bank = Rows({{1, 0}, {0, 100}});
  ASSERT_OK_AND_ASSIGN(const double accuracy,
                       KnnAccuracy(bank, {0, 1}, Rows({{9, 1}, {0.001, 0.002}}), {0, 1}, {1, 0.07}));
  EXPECT_EQ(accuracy, 1);
}

TEST(KnnTest, OneCloseNeighbourOutvotesTwoFarOnes) {
  const at::Tensor bank = Rows({{1, 0}, {0.2, 1}, {0.2, 1}});
  const std::vector<int> labels = {0, 1, 1};
  EXPECT_EQ(KnnAccuracy(bank, labels, Rows({{1, 0}}), {0}, {3, 0.07}).value(), 1);
  EXPECT_EQ(KnnAccuracy(bank, labels, Rows({{1, 0}}), {0}, {3, 100}).value(), 0);  // hot: every vote counts alike
}

TEST(KnnTest, RefusesWhatCannotVote) {
  const at::Tensor rows = Rows({{1, 0}, {0, 1}});
  EXPECT_THAT(KnnAccuracy(rows, {0, -1}, rows, {0, 1}, {}),
              StatusIs(kInvalid, "1 of 2 images of the bank have no label"));
  EXPECT_THAT(KnnAccuracy(rows, {0, 1}, rows, {-1, -1}, {}),
              StatusIs(kInvalid, "images of the query set have no label"));
  EXPECT_THAT(KnnAccuracy(at::empty({0, 2}), {}, rows, {0, 1}, {}), StatusIs(kInvalid, "the bank has no rows"));
  EXPECT_THAT(KnnAccuracy(at::Tensor(), {}, rows, {0, 1}, {}), StatusIs(kInvalid, "the bank has no rows"));
  EXPECT_THAT(KnnAccuracy(rows, {0}, rows, {0, 1}, {}), StatusIs(kInvalid, "2 rows and 1 labels"));
  EXPECT_THAT(KnnAccuracy(rows, {0, 1}, Rows({{1, 2, 3}}), {0}, {}), StatusIs(kInvalid, "widths 2 and 3"));
  const at::Tensor broken = Rows({{1, NAN}, {0, 1}});
  EXPECT_THAT(KnnAccuracy(broken, {0, 1}, rows, {0, 1}, {}),
              StatusIs(kInvalid, "features of the bank hold 1 of 4 values that are not finite"));
  EXPECT_THAT(KnnAccuracy(rows, {0, 1}, broken, {0, 1}, {}),
              StatusIs(kInvalid, "features of the query set hold 1 of 4"));
}

TEST(KnnTest, AllOfASmallBankVote) {
  EXPECT_EQ(VotersOf({20, 0.07}, 1061), 20);
  EXPECT_EQ(VotersOf({20, 0.07}, 12), 12);
}

TEST(LabelsAmongTest, MatchesClassesByName) {
  // The query split lacks "cat" and has "fox", which no bank image shows.
  EXPECT_THAT(LabelsAmong({0, 1, -1, 1}, {"dog", "fox"}, {"cat", "dog"}), ElementsAre(1, 3, -1, 3));
}

}  // namespace
}  // namespace mimeo
