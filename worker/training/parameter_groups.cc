#include "worker/training/parameter_groups.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace mimeo {
namespace {

// The number of the transformer block that a parameter belongs to, or -1.
int BlockOf(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "encoder.blocks.") && !absl::ConsumePrefix(&name, "encoder.blocks3.")) return -1;
  int block = -1;
  return absl::SimpleAtoi(name.substr(0, name.find('.')), &block) ? block : -1;
}

bool Embeds(absl::string_view name) {
  for (const char* prefix : {"encoder.cls_token", "encoder.reg_token", "encoder.pos_embed", "encoder.norm_pre", "encoder.patch_embed",
                             "encoder.blocks1.", "encoder.blocks2."}) {
    if (absl::StartsWith(name, prefix)) return true;
  }
  return false;
}

}  // namespace

bool IsDecayed(const std::string& name, const at::Tensor& parameter) {
  return parameter.dim() > 1 && !absl::EndsWith(name, ".pos_embed");
}

int NumEncoderBlocks(const Parameters& parameters) {
  int most = 0;
  for (const auto& [name, tensor] : parameters.all()) most = std::max(most, BlockOf(name) + 1);
  return most;
}

double RateScale(const std::string& name, int num_blocks, double layer_decay) {
  const int block = BlockOf(name);
  const int id = block >= 0 ? block + 1 : Embeds(name) ? 0 : num_blocks + 1;
  return std::pow(layer_decay, num_blocks + 1 - id);
}

}  // namespace mimeo
