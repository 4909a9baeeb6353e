#include "objective/self_distillation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
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
  MIMEO_CHECK(!pass.targets.empty(), "needs().average_targets was not met");
  const RowGatherer rows = pass.alone ? RowGatherer() : rows_;
  // All views go through a head together, so that its prototypes are scaled to length 1 once. M rows: those of each
  // view in turn.
  std::vector<int> target_views;
  std::vector<at::Tensor> pooled_targets, pooled;
  for (const auto& [view, encoding] : pass.targets) {
    target_views.push_back(view);
    pooled_targets.push_back(Pool(encoding, spec_.pooling()));
  }
  for (const Encoding& encoding : pass.encodings) pooled.push_back(Pool(encoding, spec_.pooling()));
  const int64_t num_images = pooled.front().size(0);
  const auto part = [num_images](const at::Tensor& rows_MP, size_t i) {
    return rows_MP.narrow(0, static_cast<int64_t>(i) * num_images, num_images);
  };
  at::Tensor target_scores_MP, targets_MP;
  {
    const at::NoGradGuard no_grad;
    target_scores_MP = averaged_head_.Forward(at::cat(pooled_targets), /*frozen_prototypes=*/false).scores_NP;
    targets_MP = at::softmax((target_scores_MP - center_P_) / TeacherTemperatureAt(spec_, pass.progress), -1);
  }
  const PrototypeHead::Output output = head_.Forward(at::cat(pooled), PrototypesAreFrozen(spec_, pass.progress));
  const at::Tensor log_predicted_MP = at::log_softmax(output.scores_NP / spec_.student_temperature(), -1);
  at::Tensor sum;
  double pairs = 0;
  for (size_t i = 0; i < pass.encodings.size(); ++i) {
    for (size_t t = 0; t < target_views.size(); ++t) {
      if (target_views[t] == pass.views[i].view) continue;
      const at::Tensor loss = -(part(targets_MP, t) * part(log_predicted_MP, i)).sum(-1).mean();
      sum = sum.defined() ? sum + loss : loss;
      ++pairs;
    }
  }
  MIMEO_CHECK(pairs > 0, "self-distillation compares at least two views");
  LossTerm term;
  term.value = sum / pairs;
  const at::NoGradGuard no_grad;
  term.means[center_name_] = {rows.gather(target_scores_MP.mean(0, /*keepdim=*/true)).mean(0), spec_.center_momentum()};
  // Each target is compared with equally many encodings, so their plain mean belongs to the loss's.
  term.stats["target_entropy"] = Entropy(targets_MP).mean();
  term.stats["target_divergence"] = term.value.detach() - term.stats["target_entropy"];
  term.stats["prototypes"] = Entropy(targets_MP.mean(0)).exp();
  term.stats["embedding_std"] = EmbeddingStd(part(output.bottleneck_NE, 0));
  return term;
}

bool PrototypesAreFrozen(const SelfDistillationSpec& spec, double progress) {
  return progress < spec.frozen_prototypes();
}

double TeacherTemperatureAt(const SelfDistillationSpec& spec, double progress) {
  if (progress >= spec.warmup()) return spec.teacher_temperature();
  double along = progress / spec.warmup();
  if (const int stages = spec.warmup_stages(); stages > 0) {
    // A stage begins with a step whose share of the training is a rounded quotient: a little less is meant as that.
    const double stage = std::floor(along * stages + 1e-9);
    along = stages > 1 ? std::min(stage, stages - 1.0) / (stages - 1) : 0;
  }
  return spec.warmup_temperature() + (spec.teacher_temperature() - spec.warmup_temperature()) * along;
}

}  // namespace mimeo
