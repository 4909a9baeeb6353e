#include "model/patches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace mimeo {
namespace {

// facebookresearch/mae, util/pos_embed.py on a 14 x 14 grid, at row 1, column 2 (17 with the class token).
TEST(PatchesTest, SinCosGoldenValues) {
  const std::vector<std::pair<int, double>> d768 = {{0, 0.909297427},    {1, 0.944236772},   {2, 0.969836096},
                                                    {96, 0.019998667},   {191, 0.000209828}, {192, -0.416146837},
                                                    {193, -0.329267244}, {384, 0.841470985}, {385, 0.815250650},
                                                    {576, 0.540302306},  {577, 0.579108261}, {767, 0.999999994}};
  const std::vector<std::pair<int, double>> d512 = {{0, 0.909297427},    {1, 0.958144376},   {2, 0.987046251},
                                                    {64, 0.019998667},   {127, 0.000214922}, {128, -0.416146837},
                                                    {129, -0.286285442}, {256, 0.841470985}, {257, 0.801961795},
                                                    {384, 0.540302306},  {385, 0.597375325}, {511, 0.999999994}};
  for (const auto& [width, golden] : {std::make_pair(768, d768), std::make_pair(512, d512)}) {
    const at::Tensor positions = SinCosPositions({14, 14, 16}, width);
    ASSERT_EQ(positions.sizes(), (std::vector<int64_t>{197, width}));
    for (const auto& [dim, value] : golden) {
      EXPECT_NEAR(positions[17][dim].item<double>(), value, 1e-7) << width << " " << dim;
    }
    EXPECT_EQ(positions[0].abs().max().item<float>(), 0);
  }
}

TEST(PatchesTest, RectangularGridsKeepRowAndColumnApart) {
  const at::Tensor positions = SinCosPositions({2, 5, 16}, 8);
  EXPECT_NEAR(positions[1 + 1 * 5 + 3][0].item<double>(), std::sin(3.0), 1e-7);  // the column first
  EXPECT_NEAR(positions[1 + 1 * 5 + 3][4].item<double>(), std::sin(1.0), 1e-7);
}

TEST(PatchesTest, ChannelIsFastestThenColumnThenRow) {
  const at::Tensor images = at::arange(2 * 3 * 4 * 6, at::kFloat).view({2, 3, 4, 6});
  const at::Tensor patches = Patchify(images, 2);
  ASSERT_EQ(patches.sizes(), (std::vector<int64_t>{2, 6, 12}));
  for (int b = 0; b < 2; ++b) {
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 6; ++x) {
        for (int c = 0; c < 3; ++c) {
          const int patch = y / 2 * 3 + x / 2, value = (y % 2 * 2 + x % 2) * 3 + c;
          EXPECT_EQ(patches[b][patch][value].item<float>(), images[b][c][y][x].item<float>());
        }
      }
    }
  }
}

TEST(PatchesTest, UnpatchifyUndoesPatchify) {
  const at::Tensor images = at::arange(2 * 3 * 8 * 12, at::kFloat).view({2, 3, 8, 12});
  EXPECT_TRUE(at::equal(Unpatchify(Patchify(images, 4), {2, 3, 4}), images));
  const at::Tensor channels_last = images.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::equal(Patchify(channels_last, 4), Patchify(images, 4)));
}

// Mean 0 and unbiased variance var / (var + 1e-6), against loops in double.
TEST(PatchesTest, NormalizePatchesAgainstLoops) {
  constexpr int kPatches = 3, kValues = 48;
  const at::Tensor patches =
      at::sin(at::arange(kPatches * kValues, at::kFloat)).view({1, kPatches, kValues}) * 0.01 + 5;
  const at::Tensor normal = NormalizePatches(patches);
  for (int l = 0; l < kPatches; ++l) {
    double mean = 0, variance = 0;
    for (int i = 0; i < kValues; ++i) mean += patches[0][l][i].item<double>() / kValues;
    for (int i = 0; i < kValues; ++i) variance += std::pow(patches[0][l][i].item<double>() - mean, 2) / (kValues - 1);
    for (int i = 0; i < kValues; ++i) {
      const double expected = (patches[0][l][i].item<double>() - mean) / std::sqrt(variance + 1e-6);
      EXPECT_NEAR(normal[0][l][i].item<double>(), expected,
                  2e-4);  // 5 has 4.8e-7 between floats, 0.007 is the deviation
    }
  }
}

TEST(PatchesTest, AConstantPatchNormalizesToZero) {
  EXPECT_EQ(NormalizePatches(at::full({1, 2, 12}, 0.25, at::kFloat)).abs().max().item<float>(), 0);
}

// Cubic convolution (Keys, 1981) with a = -0.75, pixel centres at halves, edges repeated: what torch calls bicubic.
double CubicWeight(double x) {
  x = std::abs(x);
  constexpr double kA = -0.75;
  if (x <= 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * kA * x - 4 * kA : 0;
}

double InterpolatedByLoops(const at::Tensor& positions_LD, const PatchGrid& from, const PatchGrid& to, int row, int col,
                           int64_t d, double offset) {
  const double y = (row + 0.5) * from.rows / (to.rows + offset) - 0.5;
  const double x = (col + 0.5) * from.cols / (to.cols + offset) - 0.5;
  double sum = 0;
  for (int i = -1; i <= 2; ++i) {
    for (int j = -1; j <= 2; ++j) {
      const int at_y = static_cast<int>(std::floor(y)) + i, at_x = static_cast<int>(std::floor(x)) + j;
      const int r = std::min(from.rows - 1, std::max(0, at_y)), c = std::min(from.cols - 1, std::max(0, at_x));
      sum += CubicWeight(y - at_y) * CubicWeight(x - at_x) * positions_LD[1 + r * from.cols + c][d].item<double>();
    }
  }
  return sum;
}

TEST(PatchesTest, InterpolatedPositionsAgainstLoops) {
  const PatchGrid from = {5, 4, 8};
  const at::Tensor positions_LD = at::sin(at::arange(21 * 3, at::kDouble) * 1.7).view({21, 3});
  for (const auto& [to, offset] : {std::make_pair(PatchGrid{2, 3, 8}, 0.0), std::make_pair(PatchGrid{7, 9, 8}, 0.0),
                                   std::make_pair(PatchGrid{5, 2, 8}, 0.0), std::make_pair(PatchGrid{2, 3, 8}, 0.1)}) {
    const at::Tensor resized_LD = InterpolatePositions(positions_LD, from, to, offset);
    ASSERT_EQ(resized_LD.size(0), 1 + to.rows * to.cols);
    EXPECT_TRUE(at::equal(resized_LD[0], positions_LD[0])) << "the class token's";
    for (int row = 0; row < to.rows; ++row) {
      for (int col = 0; col < to.cols; ++col) {
        for (int64_t d = 0; d < 3; ++d) {
          EXPECT_NEAR(resized_LD[1 + row * to.cols + col][d].item<double>(),
                      InterpolatedByLoops(positions_LD, from, to, row, col, d, offset), 1e-12);
        }
      }
    }
  }
  EXPECT_TRUE(InterpolatePositions(positions_LD, from, {5, 4, 16}).is_same(positions_LD));
}

TEST(PatchesTest, PixelsAreNormalizedPerChannel) {
  const PixelStatistics statistics = ImageNetStatistics();
  const at::Tensor bytes = at::arange(3 * 4, at::kByte).view({1, 3, 2, 2}) * 20;
  const at::Tensor pixels = NormalizePixels(bytes, statistics);
  EXPECT_EQ(pixels.scalar_type(), at::kFloat);
  for (int c = 0; c < 3; ++c) {
    const double expected = ((c * 4 + 1) * 20 / 255.0 - statistics.mean[c]) / statistics.std[c];
    EXPECT_NEAR(pixels[0][c][0][1].item<double>(), expected, 1e-6);
  }
}

}  // namespace
}  // namespace mimeo
