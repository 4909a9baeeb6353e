#include "model/initial_weights.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace mimeo {
namespace {

bool InEncoder(const std::string& name) { return absl::StartsWith(name, "encoder."); }
bool OfPatches(const std::string& name) { return absl::StartsWith(name, "encoder.patch_embed."); }
bool IsMatrix(const std::string& name, at::IntArrayRef shape) {
  return shape.size() > 1 && absl::EndsWith(name, ".weight");
}

// What nn.Linear and nn.Conv2d start from.
Draw TorchDefault(at::IntArrayRef weight_shape) {
  return {Init::kConvDefault, c10::multiply_integers(weight_shape) / weight_shape.front()};
}

Draw DinosDraw(const std::string& name, at::IntArrayRef shape, const Draw& maes) {
  if (absl::EndsWith(name, ".prototypes")) return TorchDefault(shape);
  if (!IsMatrix(name, shape)) return maes;
  return OfPatches(name) ? TorchDefault(shape) : Draw{Init::kNormal002};
}

Draw MocosDraw(const std::string& name, at::IntArrayRef shape, const Draw& maes) {
  if (name == "encoder.cls_token") return {Init::kNormal1e6};
  if (name == "encoder.patch_embed.proj.bias") return {Init::kZeros};
  if (!IsMatrix(name, shape)) return maes;
  if (!InEncoder(name)) return TorchDefault(shape);
  return absl::EndsWith(name, ".attn.qkv.weight") ? Draw{Init::kXavierUniformThirds} : maes;
}

// encoder.blocks.3.mlp.fc2.weight: 1 / sqrt(2 * 4).
double ScaleOfBranchEnd(const std::string& name) {
  if (!absl::EndsWith(name, ".attn.proj.weight") && !absl::EndsWith(name, ".mlp.fc2.weight")) return 1;
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  int block = 0;
  return parts.size() > 2 && absl::SimpleAtoi(parts[2], &block) ? 1 / std::sqrt(2.0 * (block + 1)) : 1;
}

Draw SimmimsDraw(const std::string& name, at::IntArrayRef shape, const Draw& maes) {
  if (absl::EndsWith(name, ".pred.weight")) return TorchDefault(shape);
  if (absl::EndsWith(name, ".pred.bias")) return {Init::kConvDefault, maes.fan_in};
  if (!InEncoder(name)) return maes;
  if (name == "encoder.patch_embed.proj.bias") return {Init::kZeros};
  return shape.size() > 1 ? Draw{Init::kNormal002CutOff, 0, ScaleOfBranchEnd(name)} : maes;
}

}  // namespace

Draw DrawOf(InitialWeights kind, const std::string& name, at::IntArrayRef shape, const Draw& maes) {
  switch (kind) {
    case INITIAL_WEIGHTS_DINO:
      return DinosDraw(name, shape, maes);
    case INITIAL_WEIGHTS_MOCO_V3:
      return MocosDraw(name, shape, maes);
    case INITIAL_WEIGHTS_SIMMIM:
      return SimmimsDraw(name, shape, maes);
    default:
      return maes;
  }
}

bool DrawsPositions(InitialWeights kind) { return kind == INITIAL_WEIGHTS_DINO || kind == INITIAL_WEIGHTS_SIMMIM; }

}  // namespace mimeo
