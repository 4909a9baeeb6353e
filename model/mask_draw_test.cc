#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "model/mask_plan.h"

namespace mimeo {
namespace {

constexpr PatchGrid kGrid{14, 14, 16};

std::vector<RandomKey> Keys(int count) {
  std::vector<RandomKey> keys;
  for (int i = 0; i < count; ++i) keys.push_back(RandomKey(11).Fold("mask").Fold(i));
  return keys;
}

std::vector<int64_t> Row(const at::Tensor& index_BK, int64_t row) {
  const int64_t* begin = index_BK.data_ptr<int64_t>() + row * index_BK.size(1);
  return std::vector<int64_t>(begin, begin + index_BK.size(1));
}

MaskSpec Resolved(double hidden_fraction, int unit_patches = 1, int groups = 1) {
  MaskSpec spec;
  spec.set_hidden_fraction(hidden_fraction), spec.set_unit_patches(unit_patches), spec.set_groups(groups);
  spec.mutable_random();
  return spec;
}

MaskSpec Block(double hidden_fraction, int min_patches, double min_aspect, int unit_patches = 1) {
  MaskSpec spec = Resolved(hidden_fraction, unit_patches);
  spec.mutable_block()->set_min_patches(min_patches), spec.mutable_block()->set_min_aspect(min_aspect);
  return spec;
}

MaskSpec Grid(double hidden_fraction, int unit_patches = 1) {
  MaskSpec spec = Resolved(hidden_fraction, unit_patches);
  spec.mutable_grid();
  return spec;
}

MaskPlan Draw(const MaskSpec& spec, const PatchGrid& grid, int num_visible, absl::Span<const RandomKey> keys) {
  const std::vector<MaskPlan> plans = DrawMaskPlans(spec, grid, num_visible, keys);
  EXPECT_EQ(plans.size(), 1u);
  return plans[0];
}

void ExpectPartitions(const MaskPlan& plan, int64_t batch, int num_patches, int num_visible) {
  ASSERT_EQ(plan.visible_BK.sizes(), at::IntArrayRef({batch, num_visible}));
  ASSERT_EQ(plan.hidden_BM.sizes(), at::IntArrayRef({batch, num_patches - num_visible}));
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<int64_t> all = Row(plan.visible_BK, b);
    const std::vector<int64_t> hidden = Row(plan.hidden_BM, b);
    ASSERT_TRUE(std::is_sorted(all.begin(), all.end()));
    ASSERT_TRUE(std::is_sorted(hidden.begin(), hidden.end()));
    all.insert(all.end(), hidden.begin(), hidden.end());
    std::sort(all.begin(), all.end());
    for (int patch = 0; patch < num_patches; ++patch) ASSERT_EQ(all[patch], patch);
  }
}

TEST(DrawMaskPlansTest, EveryKindIsAPartitionThatFollowsItsKey) {
  const std::vector<RandomKey> keys = Keys(20);
  const std::vector<RandomKey> backwards(keys.rbegin(), keys.rend());
  const std::vector<std::pair<MaskSpec, int>> cases = {
      {Resolved(0.75), 49},        {Resolved(0.75, 2), 48},       {Resolved(0.75, 7), 49}, {Block(0.4, 16, 0.3), 117},
      {Block(0.75, 16, 0.3), 49},  {Block(0.75, 16, 0.3, 2), 48}, {Block(0.9, 1, 1), 19},  {Grid(0.75), 49},
      {Block(0.75, 400, 0.3), 49}, {Block(0.75, 16, 0.01), 49}};
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& [spec, num_visible] = cases[i];
    SCOPED_TRACE(i);
    const MaskPlan plan = Draw(spec, kGrid, num_visible, keys);
    ExpectPartitions(plan, 20, 196, num_visible);
    EXPECT_TRUE(at::equal(Draw(spec, kGrid, num_visible, backwards).visible_BK, plan.visible_BK.flip({0})));
    EXPECT_TRUE(at::equal(Draw(spec, kGrid, num_visible, {keys[7]}).hidden_BM[0], plan.hidden_BM[7]));
    std::set<std::vector<int64_t>> different;
    for (int64_t b = 0; b < 20; ++b) different.insert(Row(plan.visible_BK, b));
    EXPECT_EQ(different.size() == 1, spec.has_grid());
  }
}

// The patches that the quick start's and every other recipe's masks had before units, blocks and groups came.
TEST(DrawMaskPlansTest, RandomWithUnitsOfOnePatchIsTheShufflesFirstK) {
  const std::vector<RandomKey> keys = Keys(30);
  const MaskPlan plan = Draw(Resolved(0.75), kGrid, 49, keys), same = RandomMaskPlan(keys, 196, 49);
  EXPECT_TRUE(at::equal(plan.visible_BK, same.visible_BK));
  EXPECT_TRUE(at::equal(plan.hidden_BM, same.hidden_BM));
  for (int64_t b = 0; b < 30; ++b) {
    std::vector<int64_t> first = keys[b].Permutation(196);
    first.resize(49);
    std::sort(first.begin(), first.end());
    EXPECT_EQ(Row(plan.visible_BK, b), first);
  }
}

TEST(DrawMaskPlansTest, NoMaskShowsEverything) {
  MaskSpec spec = Resolved(0);
  spec.mutable_none();
  ExpectPartitions(Draw(spec, kGrid, 196, Keys(3)), 3, 196, 196);
}

TEST(DrawMaskPlansTest, UnitsAreHiddenOrVisibleAsAWhole) {
  const PatchGrid wide{6, 12, 8};
  for (const MaskSpec& spec : {Resolved(0.75, 3), Block(0.75, 18, 0.3, 3)}) {
    const MaskPlan plan = Draw(spec, wide, 18, Keys(20));
    ExpectPartitions(plan, 20, 72, 18);
    for (int64_t b = 0; b < 20; ++b) {
      std::vector<int> seen(2 * 4, 0);
      for (const int64_t patch : Row(plan.visible_BK, b)) ++seen[patch / 12 / 3 * 4 + patch % 12 / 3];
      for (const int count : seen) EXPECT_TRUE(count == 0 || count == 9) << count;
    }
  }
}

TEST(DrawMaskPlansTest, AGridKeepsTheFirstOfEverySquare) {
  const MaskPlan half = Draw(Grid(0.75), {4, 6, 8}, 6, Keys(2));
  EXPECT_EQ(Row(half.visible_BK, 0), (std::vector<int64_t>{0, 2, 4, 12, 14, 16}));
  EXPECT_EQ(Row(half.visible_BK, 1), Row(half.visible_BK, 0));
  EXPECT_EQ(Row(Draw(Grid(8.0 / 9), {3, 6, 8}, 2, Keys(1)).visible_BK, 0), (std::vector<int64_t>{0, 3}));
  // Units of 2 x 2: the unit at the top left of each four, so columns 0 and 1 of four.
  EXPECT_EQ(Row(Draw(Grid(0.75, 2), {4, 8, 8}, 8, Keys(1)).visible_BK, 0),
            (std::vector<int64_t>{0, 1, 4, 5, 8, 9, 12, 13}));
}

// How many hidden patches stand together with at least `least` others, horizontally or vertically.
int InPiecesOf(int least, const std::vector<int64_t>& hidden, const PatchGrid& grid) {
  std::set<int64_t> left(hidden.begin(), hidden.end());
  int together = 0;
  while (!left.empty()) {
    std::vector<int64_t> piece = {*left.begin()};
    left.erase(left.begin());
    for (size_t i = 0; i < piece.size(); ++i) {
      const int64_t row = piece[i] / grid.cols, col = piece[i] % grid.cols;
      const std::vector<std::pair<int64_t, int64_t>> next = {
          {row - 1, col}, {row + 1, col}, {row, col - 1}, {row, col + 1}};
      for (const auto& [y, x] : next) {
        if (y < 0 || x < 0 || y >= grid.rows || x >= grid.cols || left.erase(y * grid.cols + x) == 0) continue;
        piece.push_back(y * grid.cols + x);
      }
    }
    if (static_cast<int>(piece.size()) >= least) together += static_cast<int>(piece.size());
  }
  return together;
}

// All but the last few hidden patches are rectangles' of at least 16: BEiT's 75 of 196, where random masks have few
// such pieces.
TEST(DrawMaskPlansTest, BlocksHangTogether) {
  constexpr int kImages = 200, kHidden = 75;
  const MaskPlan blocks = Draw(Block(75.0 / 196, 16, 0.3), kGrid, 196 - kHidden, Keys(kImages));
  const MaskPlan random = Draw(Resolved(75.0 / 196), kGrid, 196 - kHidden, Keys(kImages));
  int64_t in_random = 0;
  for (int64_t b = 0; b < kImages; ++b) {
    EXPECT_GE(InPiecesOf(16, Row(blocks.hidden_BM, b), kGrid), kHidden - 15) << b;
    in_random += InPiecesOf(16, Row(random.hidden_BM, b), kGrid);
  }
  EXPECT_LT(in_random, kImages * kHidden / 4);
}

// Where the least is also the most, one rectangle of exactly that many patches takes all: its shapes are as frequent as
// a uniform log aspect makes them, by a scan of that aspect.
TEST(DrawMaskPlansTest, ARectanglesAspectIsLogUniform) {
  constexpr int kImages = 4000, kHidden = 48, kSteps = 100000;
  std::map<std::pair<int, int>, double> expected, found;
  double all_expected = 0, all_found = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double aspect = std::exp(std::log(4.0) * (2 * (i + 0.5) / kSteps - 1));
    const auto height = static_cast<int>(std::lround(std::sqrt(kHidden * aspect)));
    const auto width = static_cast<int>(std::lround(std::sqrt(kHidden / aspect)));
    if (height * width == kHidden) ++expected[{height, width}], ++all_expected;
  }
  const PatchGrid large{30, 40, 1};
  const MaskPlan plan = Draw(Block(0.96, kHidden, 0.25), large, 1200 - kHidden, Keys(kImages));
  for (int64_t b = 0; b < kImages; ++b) {
    std::set<int64_t> rows, cols;
    for (const int64_t patch : Row(plan.hidden_BM, b)) rows.insert(patch / 40), cols.insert(patch % 40);
    const std::pair<int, int> shape(rows.size(), cols.size());
    if (shape.first * shape.second == kHidden) ++found[shape], ++all_found;  // else ten tries made no 48
  }
  ASSERT_GT(all_found, kImages * 0.9);
  ASSERT_GE(expected.size(), 4u);
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [shape, count] : expected) {
    const double share = count / all_expected;
    const double tolerance = 5 * std::sqrt(all_found * share * (1 - share));
    EXPECT_NEAR(found[shape], all_found * share, tolerance) << shape.first << " x " << shape.second;
  }
}

TEST(DrawMaskPlansTest, GroupsAreDisjointAndTogetherTheShufflesFirst) {
  const std::vector<RandomKey> keys = Keys(10);
  for (const auto& [groups, unit] : std::vector<std::pair<int, int>>{{4, 1}, {3, 1}, {4, 2}}) {
    const int num_visible = unit == 1 ? 49 : 48;
    const std::vector<MaskPlan> plans = DrawMaskPlans(Resolved(0.75, unit, groups), kGrid, num_visible, keys);
    ASSERT_EQ(plans.size(), static_cast<size_t>(groups));
    for (const MaskPlan& plan : plans) ExpectPartitions(plan, 10, 196, num_visible);
    // The first group is the mask that there is without groups.
    EXPECT_TRUE(at::equal(plans[0].visible_BK, Draw(Resolved(0.75, unit), kGrid, num_visible, keys).visible_BK));
    for (int64_t b = 0; b < 10; ++b) {
      std::set<int64_t> seen;
      for (const MaskPlan& plan : plans) {
        for (const int64_t patch : Row(plan.visible_BK, b)) {
          EXPECT_TRUE(seen.insert(patch).second) << patch << " in two groups";
        }
      }
      EXPECT_EQ(seen.size(), static_cast<size_t>(groups * num_visible));
    }
  }
  const std::vector<MaskPlan> four = DrawMaskPlans(Resolved(0.75, 1, 4), kGrid, 49, keys);
  std::vector<int64_t> second = keys[3].Permutation(196);
  second = {second.begin() + 49, second.begin() + 98};
  std::sort(second.begin(), second.end());
  EXPECT_EQ(Row(four[1].visible_BK, 3), second);
}

at::Tensor Rows(const std::vector<std::vector<float>>& rows) {
  at::Tensor tensor_NL =
      at::empty({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, at::kFloat);
  float* out = tensor_NL.mutable_data_ptr<float>();
  for (const auto& row : rows) out = std::copy(row.begin(), row.end(), out);
  return tensor_NL;
}

// P(patch i is among the first K drawn one by one without replacement), by all sequences.
void AddSequences(const std::vector<double>& weights, int left, double probability, std::vector<bool>* taken,
                  std::vector<double>* inclusion) {
  if (left == 0) {
    for (size_t i = 0; i < weights.size(); ++i) (*inclusion)[i] += (*taken)[i] ? probability : 0;
    return;
  }
  double rest = 0;
  for (size_t i = 0; i < weights.size(); ++i) rest += (*taken)[i] ? 0 : weights[i];
  for (size_t i = 0; i < weights.size(); ++i) {
    if ((*taken)[i]) continue;
    (*taken)[i] = true;
    AddSequences(weights, left - 1, probability * weights[i] / rest, taken, inclusion);
    (*taken)[i] = false;
  }
}

TEST(FocusedMaskPlanTest, PatchesAreDrawnAsOneByOneWithoutReplacement) {
  constexpr int kImages = 40000, kVisible = 3;
  const std::vector<float> attention = {0.4f, 0.3f, 0.12f, 0.1f, 0.05f, 0.03f, 0};
  std::vector<double> weights(attention.begin(), attention.end()), inclusion(7, 0);
  for (double& weight : weights) weight += 1e-6;
  std::vector<bool> taken(7, false);
  AddSequences(weights, kVisible, 1, &taken, &inclusion);
  ASSERT_NEAR(std::accumulate(inclusion.begin(), inclusion.end(), 0.0), kVisible, 1e-9);
  const MaskPlan plan =
      FocusedMaskPlan(Keys(kImages), Rows(std::vector<std::vector<float>>(kImages, attention)), kVisible, false);
  ExpectPartitions(plan, kImages, 7, kVisible);
  std::vector<int> counts(7, 0);
  for (int64_t b = 0; b < kImages; ++b) {
    for (const int64_t patch : Row(plan.visible_BK, b)) ++counts[patch];
  }
  for (int i = 0; i < 7; ++i) {
    EXPECT_NEAR(counts[i], kImages * inclusion[i], 5 * std::sqrt(kImages * inclusion[i] * (1 - inclusion[i])) + 1) << i;
  }
}

TEST(FocusedMaskPlanTest, AnImagesPlanFollowsFromItsKeyAndItsAttention) {
  const std::vector<RandomKey> keys = Keys(2);
  const std::vector<float> first = {0.5f, 0.2f, 0.1f, 0.1f, 0.1f}, second = {0, 0.25f, 0.25f, 0.25f, 0.25f};
  for (const bool most_attended : {false, true}) {
    const MaskPlan plan = FocusedMaskPlan(keys, Rows({first, second}), 2, most_attended);
    const MaskPlan swapped = FocusedMaskPlan({keys[1], keys[0]}, Rows({second, first}), 2, most_attended);
    EXPECT_TRUE(at::equal(plan.visible_BK, swapped.visible_BK.flip({0})));
    EXPECT_TRUE(at::equal(plan.hidden_BM, swapped.hidden_BM.flip({0})));
  }
}

TEST(FocusedMaskPlanTest, TheMostAttendedAndOfEqualsTheFirst) {
  const at::Tensor attention_BL = Rows({{0.1f, 0.3f, 0.2f, 0.3f, 0.1f}, {0.2f, 0.2f, 0.2f, 0.2f, 0.2f}});
  const MaskPlan plan = FocusedMaskPlan(Keys(2), attention_BL, 4, true);
  EXPECT_EQ(Row(plan.visible_BK, 0), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(Row(plan.hidden_BM, 1), (std::vector<int64_t>{4}));
  EXPECT_EQ(Row(FocusedMaskPlan(Keys(2), attention_BL, 2, true).visible_BK, 0), (std::vector<int64_t>{1, 3}));
}

TEST(FocusedMaskPlanTest, NoAttentionAtAllIsUniformAndNothingUpsetsIt) {
  constexpr int kImages = 8000;
  const MaskPlan plan =
      FocusedMaskPlan(Keys(kImages), Rows(std::vector<std::vector<float>>(kImages, {0, 0, 0, 0})), 1, false);
  std::vector<int> counts(4, 0);
  for (int64_t b = 0; b < kImages; ++b) ++counts[Row(plan.visible_BK, b)[0]];
  for (const int count : counts) EXPECT_NEAR(count, kImages / 4, 5 * std::sqrt(kImages * 0.25 * 0.75));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const bool most_attended : {false, true}) {
    const MaskPlan odd = FocusedMaskPlan(Keys(1), Rows({{nan, -1, 0.5f, 0.4f, nan}}), 2, most_attended);
    EXPECT_EQ(Row(odd.visible_BK, 0), (std::vector<int64_t>{2, 3}));
  }
}

}  // namespace
}  // namespace mimeo
