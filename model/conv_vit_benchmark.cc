// What evaluating MCMAE-B's convolution stages at visible tiles saves: one forward and backward pass of the encoder, a
// quarter of the patches visible, against the same over whole images. Items are images, per second of processor time.
//
//   OMP_NUM_THREADS=1 bazel run //model:conv_vit_benchmark
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "model/encoder.h"
#include "model/testing/conv_vit_spec.h"

namespace mimeo {
namespace {

constexpr int kBatch = 4;
const ImageShape kImage = {3, 224, 224};

// The stages are MCMAE-B's; one transformer block stands for the eleven, which no evaluation changes.
void BM_StagesForwardAndBackward(benchmark::State& state, StageEvaluation stages) {
  testing::ConvVitShape shape;
  shape.depth = 1;
  EncoderSpec spec;
  *spec.mutable_conv_vit() = testing::PlainConvVit(shape, stages);
  Parameters parameters(/*seed=*/1);
  const auto encoder = MakeEncoder(spec, kImage, &parameters);
  std::vector<RandomKey> keys;
  for (int i = 0; i < kBatch; ++i) keys.push_back(RandomKey(2).Fold(i));
  const MaskPlan plan = RandomMaskPlan(keys, encoder->grid().num_patches(), encoder->grid().num_patches() / 4);
  const at::Tensor images_BCHW = at::randn({kBatch, kImage.channels, kImage.height_px, kImage.width_px});
  for (auto _ : state) {
    encoder->Encode(images_BCHW, plan).visible_BKD.sin().mean().backward();
    for (const auto& [name, parameter] : parameters.trained()) parameter.mutable_grad().reset();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK_CAPTURE(BM_StagesForwardAndBackward, dense, STAGES_DENSE)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(BM_StagesForwardAndBackward, visible_tiles, STAGES_AT_VISIBLE_TILES)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace mimeo

BENCHMARK_MAIN();
