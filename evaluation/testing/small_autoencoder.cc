#include "evaluation/testing/small_autoencoder.h"

#include "job/job_spec.h"

namespace mimeo::testing {
namespace {

constexpr char kRecipe[] = R"(
  name: "small" seed: 5
  data { path: "photos" global_batch: 4 image_px: 16 }
  mask { hidden_fraction: 0.75 grid {} }
  encoder { vit { patch_px: 4 width: 12 depth: 1 heads: 3 mlp_ratio: 2 } }
  objective {
    name: "pixels"
    reconstruction { decoder_width: 12 decoder_depth: 1 decoder_heads: 3 normalize_patches: false }
  }
  optimizer { adamw {} }
  schedule { steps: 10 })";

}  // namespace

JobSpec SmallAutoencoderSpec() { return ResolveJobSpec(ParseRecipe(kRecipe, "small").value()).value(); }

SmallAutoencoder::SmallAutoencoder(const JobSpec& spec)
    : spec(spec),
      parameters(spec.seed()),
      encoder(MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters)),
      objectives(ObjectiveSum::Create(spec, *encoder, {}, &parameters).value()) {}

NamedTensors SmallAutoencoder::Checkpoint() const {
  NamedTensors tensors;
  for (const auto& [name, tensor] : parameters.all()) tensors[name] = tensor;
  return tensors;
}

}  // namespace mimeo::testing
