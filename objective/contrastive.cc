#include "objective/contrastive.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <map>
#include <vector>

#include "base/check.h"
#include "objective/pooling.h"

namespace mimeo {
namespace {

ProjectionHead MakeProjector(const ContrastiveSpec& spec, const Encoder& encoder, const std::string& prefix,
                             Parameters* parameters) {
  HeadShape shape;
  shape.widths = {encoder.width()};
  for (const int width : spec.projector().hidden_width()) shape.widths.push_back(width);
  shape.widths.push_back(spec.projector().width());
  shape.batch_norm = spec.projector().batch_norm();
  shape.end = HeadEnd::kBatchNorm;
  return ProjectionHead(prefix + "projector.", shape, parameters);
}

std::optional<ProjectionHead> MakePredictor(const ContrastiveSpec& spec, const std::string& prefix,
                                            Parameters* parameters) {
  if (!spec.has_predictor()) return std::nullopt;
  HeadShape shape;
  shape.widths = {spec.projector().width(), spec.predictor().hidden_width(), spec.projector().width()};
  shape.batch_norm = spec.projector().batch_norm();
  shape.end = spec.predictor().final_norm() ? HeadEnd::kBatchNorm : HeadEnd::kLinear;
  return ProjectionHead(prefix + "predictor.", shape, parameters);
}

std::optional<ProjectionHead> MakeAveraged(const ContrastiveSpec& spec, const Encoder& encoder,
                                           const std::string& prefix, Parameters* averaged) {
  if (!spec.average_target()) return std::nullopt;
  return MakeProjector(spec, encoder, prefix, averaged);
}

// `anchors_NE`: all first encodings, then all second ones; `all_RE`: such blocks by rank.
ContrastRows Pair(const at::Tensor& anchors_NE, const at::Tensor& all_RE, int rank) {
  const int64_t num_rows = anchors_NE.size(0);
  ContrastRows rows;
  rows.anchors_NE = anchors_NE;
  rows.candidates_RE = all_RE;
  const at::Tensor place_N = at::arange(num_rows, anchors_NE.options().dtype(at::kLong));
  rows.self_N = place_N + rank * num_rows;
  rows.positive_N = place_N.roll(num_rows / 2) + rank * num_rows;
  return rows;
}

// `targets_RE`: the other view of the same images, by rank.
ContrastRows PairAcross(const at::Tensor& anchors_NE, const at::Tensor& targets_RE, int rank) {
  ContrastRows rows;
  rows.anchors_NE = anchors_NE;
  rows.candidates_RE = targets_RE;
  const int64_t num_rows = anchors_NE.size(0);
  rows.positive_N = at::arange(num_rows, anchors_NE.options().dtype(at::kLong)) + rank * num_rows;
  return rows;
}

void AddStats(const ContrastRows& pairs, LossTerm* term) {
  term->stats["embedding_std"] = EmbeddingStd(pairs.candidates_RE);
  term->stats["alignment"] = Alignment(pairs);
  term->stats["uniformity"] = Uniformity(pairs);
  term->stats["retrieval"] = Retrieval(pairs);
}

}  // namespace

Contrastive::Contrastive(const ContrastiveSpec& spec, const Encoder& encoder, const RowGatherer& rows,
                         const std::string& prefix, Parameters* parameters, Parameters* averaged)
    : spec_(spec),
      rows_(rows),
      projector_(MakeProjector(spec, encoder, prefix, parameters)),
      predictor_(MakePredictor(spec, prefix, parameters)),
      averaged_projector_(MakeAveraged(spec, encoder, prefix, averaged)) {}

LossTerm Contrastive::Compute(const ForwardPass& pass) const {
  const RowGatherer rows = pass.alone ? RowGatherer() : rows_;
  return spec_.average_target() ? CompareWithAverages(pass, rows) : CompareTwo(pass, rows);
}

LossTerm Contrastive::CompareTwo(const ForwardPass& pass, const RowGatherer& rows) const {
  MIMEO_CHECK(pass.encodings.size() == 2, "a contrastive objective compares two encodings of each image");
  const at::Tensor projected_NE = projector_.Forward(
      at::cat({Pool(pass.encodings[0], spec_.pooling()), Pool(pass.encodings[1], spec_.pooling())}), rows);
  const at::Tensor predicted_NE = predictor_.has_value() ? predictor_->Forward(projected_NE, rows) : projected_NE;
  const at::Tensor unit_NE = UnitLength(projected_NE);
  LossTerm term;
  ContrastRows pairs;
  if (spec_.has_cosine()) {
    // Row i's other view is half the rows further on.
    const at::Tensor other_NE = projected_NE.roll(projected_NE.size(0) / 2, 0);
    term.value = NegativeFreeLoss(predicted_NE, other_NE);
    pairs = Pair(unit_NE.detach(), rows.gather(unit_NE.detach()), rows.rank);
  } else {
    pairs = Pair(predictor_.has_value() ? UnitLength(predicted_NE) : unit_NE, rows.gather(unit_NE), rows.rank);
    term.value = InfoNce(pairs, spec_.info_nce().temperature());
  }
  AddStats(pairs, &term);
  return term;
}

LossTerm Contrastive::CompareWithAverages(const ForwardPass& pass, const RowGatherer& rows) const {
  MIMEO_CHECK(!pass.targets.empty(), "needs().average_targets was not met");
  std::map<int, at::Tensor> targets_RE;  // by view
  {
    const at::NoGradGuard no_grad;
    for (const auto& [view, encoding] : pass.targets) {
      targets_RE[view] = rows.gather(UnitLength(averaged_projector_->Forward(Pool(encoding, spec_.pooling()), rows)));
    }
  }
  LossTerm term;
  double comparisons = 0;
  for (size_t i = 0; i < pass.encodings.size(); ++i) {
    at::Tensor anchors_NE = projector_.Forward(Pool(pass.encodings[i], spec_.pooling()), rows);
    if (predictor_.has_value()) anchors_NE = predictor_->Forward(anchors_NE, rows);
    anchors_NE = UnitLength(anchors_NE);
    for (const auto& [view, target_RE] : targets_RE) {
      if (view == pass.views[i].view) continue;
      const ContrastRows pairs = PairAcross(anchors_NE, target_RE, rows.rank);
      const at::Tensor loss = spec_.has_cosine()
                                  ? NegativeFreeLoss(anchors_NE, target_RE.index_select(0, pairs.positive_N))
                                  : InfoNce(pairs, spec_.info_nce().temperature());
      term.value = term.value.defined() ? term.value + loss : loss;
      if (++comparisons == 1) AddStats(pairs, &term);
    }
  }
  MIMEO_CHECK(comparisons > 0, "there are at least two views to compare");
  term.value = term.value / comparisons;
  return term;
}

}  // namespace mimeo
