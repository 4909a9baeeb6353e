#include "worker/training/parameter_groups.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "objective/objective.h"
#include "objective/self_distillation.h"

namespace mimeo {
namespace {

// The number of the transformer block that a parameter belongs to, or -1.
int BlockOf(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "encoder.blocks.") && !absl::ConsumePrefix(&name, "encoder.blocks3.")) return -1;
  int block = -1;
  return absl::SimpleAtoi(name.substr(0, name.find('.')), &block) ? block : -1;
}

// As ObjectiveSum::Create names them.
std::string HeadOf(const ObjectiveSpec& objective) { return absl::StrCat("objective.", objective.name()); }
std::string PrototypesOf(const ObjectiveSpec& objective) { return absl::StrCat(HeadOf(objective), ".prototypes"); }

bool Embeds(absl::string_view name) {
  for (const char* prefix : {"encoder.cls_token", "encoder.reg_token", "encoder.pos_embed", "encoder.norm_pre",
                             "encoder.patch_embed", "encoder.blocks1.", "encoder.blocks2."}) {
    if (absl::StartsWith(name, prefix)) return true;
  }
  return false;
}

}  // namespace

bool IsLive(const JobSpec& spec, const std::string& cohort, double progress) {
  for (const ObjectiveSpec& objective : spec.objective()) {
    const bool counts = WeightAt(objective, progress) != 0;
    if (cohort == HeadOf(objective)) return counts;
    if (cohort == PrototypesOf(objective)) {
      return counts && !PrototypesAreFrozen(objective.self_distillation(), progress);
    }
  }
  return true;
}

bool IsDecayed(Decayed decayed, const std::string& name, const at::Tensor& parameter) {
  if (decayed == DECAYED_EVERYTHING) return true;
  if (decayed == DECAYED_MATRICES_BUT_CLASS_TOKEN && name == "encoder.cls_token") return false;
  const bool kept = decayed != DECAYED_MATRICES_AND_POSITIONS && absl::EndsWith(name, ".pos_embed");
  return parameter.dim() > 1 && !kept;
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
