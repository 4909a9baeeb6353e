#include "objective/self_distillation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "objective/losses.h"
#include "objective/pooling.h"

namespace mimeo {
namespace {

// Along the last dimension. A probability that underflowed to 0 counts as the smallest number above it.
at::Tensor Entropy(const at::Tensor& probabilities_NP) {
  return -(probabilities_NP * probabilities_NP.clamp_min(1e-30).log()).sum(-1);
}

}  // namespace

SelfDistillation::SelfDistillation(const SelfDistillationSpec& spec, const Encoder& encoder, const RowGatherer& rows,
                                   const std::string& prefix, Parameters* parameters, Parameters* averaged)
    : spec_(spec),
      rows_(rows),
      center_name_(prefix + "center"),
      head_(spec, encoder.width(), prefix, parameters),
      averaged_head_(spec, encoder.width(), prefix, averaged),
      center_P_(averaged->Add(center_name_, {spec.num_prototypes()}, Init::kZeros)) {}

LossTerm SelfDistillation::Compute(const ForwardPass& pass) const {
  ABSL_RAW_CHECK(!pass.targets.empty(), "needs().average_targets was not met");
  const RowGatherer rows = pass.alone ? RowGatherer() : rows_;
  std::map<int, at::Tensor> targets_NP;  // by view
  std::vector<at::Tensor> scores;
  {
    const at::NoGradGuard no_grad;
    const double temperature = TeacherTemperatureAt(spec_, pass.progress);
    for (const auto& [view, encoding] : pass.targets) {
      scores.push_back(averaged_head_.Forward(Pool(encoding, spec_.pooling()), false).scores_NP);
      targets_NP[view] = at::softmax((scores.back() - center_P_) / temperature, -1);
    }
  }
  const bool frozen = pass.progress < spec_.frozen_prototypes();
  at::Tensor sum, embedding_std;
  double pairs = 0;
  for (size_t i = 0; i < pass.encodings.size(); ++i) {
    const PrototypeHead::Output output = head_.Forward(Pool(pass.encodings[i], spec_.pooling()), frozen);
    const at::Tensor log_predicted_NP = at::log_softmax(output.scores_NP / spec_.student_temperature(), -1);
    if (i == 0) embedding_std = EmbeddingStd(output.bottleneck_NE);
    for (const auto& [view, target_NP] : targets_NP) {
      if (view == pass.views[i].view) continue;
      const at::Tensor loss = -(target_NP * log_predicted_NP).sum(-1).mean();
      sum = sum.defined() ? sum + loss : loss;
      ++pairs;
    }
  }
  ABSL_RAW_CHECK(pairs > 0, "self-distillation compares at least two views");
  LossTerm term;
  term.value = sum / pairs;
  const at::NoGradGuard no_grad;
  const at::Tensor own_mean_1P = at::cat(scores).mean(0, /*keepdim=*/true);
  term.means[center_name_] = {rows.gather(own_mean_1P).mean(0), spec_.center_momentum()};
  // Each target is compared with equally many encodings, so their plain mean belongs to the loss's.
  std::vector<at::Tensor> all_targets;
  for (const auto& [view, target_NP] : targets_NP) all_targets.push_back(target_NP);
  const at::Tensor probabilities_NP = at::cat(all_targets);
  term.stats["target_entropy"] = Entropy(probabilities_NP).mean();
  term.stats["target_divergence"] = term.value.detach() - term.stats["target_entropy"];
  term.stats["prototypes"] = Entropy(probabilities_NP.mean(0)).exp();
  term.stats["embedding_std"] = embedding_std;
  return term;
}

double TeacherTemperatureAt(const SelfDistillationSpec& spec, double progress) {
  if (progress >= spec.warmup()) return spec.teacher_temperature();
  return spec.warmup_temperature() + (spec.teacher_temperature() - spec.warmup_temperature()) * progress / spec.warmup();
}

}  // namespace mimeo
