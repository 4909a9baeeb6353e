#include "objective/contrastive.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <vector>

#include "absl/base/internal/raw_logging.h"

namespace mimeo {
namespace {

ProjectionHead MakeProjector(const ContrastiveSpec& spec, const Encoder& encoder, const std::string& prefix,
                             Parameters* parameters) {
  std::vector<int64_t> widths = {encoder.width()};
  for (const int width : spec.projector().hidden_width()) widths.push_back(width);
  widths.push_back(spec.projector().width());
  return ProjectionHead(prefix + "projector.", widths, spec.projector().batch_norm(), HeadEnd::kBatchNorm, parameters);
}

std::optional<ProjectionHead> MakePredictor(const ContrastiveSpec& spec, const std::string& prefix, Parameters* parameters) {
  if (!spec.has_cosine()) return std::nullopt;
  const int64_t width = spec.projector().width();
  return ProjectionHead(prefix + "predictor.", {width, spec.cosine().predictor_width(), width}, spec.projector().batch_norm(),
                        HeadEnd::kLinear, parameters);
}

// `own_NE`: all first encodings, then all second ones; `all_RE`: such blocks by rank.
ContrastRows Pair(const at::Tensor& own_NE, const at::Tensor& all_RE, int rank) {
  const int64_t num_rows = own_NE.size(0);
  ContrastRows rows;
  rows.anchors_NE = own_NE;
  rows.candidates_RE = all_RE;
  const at::Tensor place_N = at::arange(num_rows, own_NE.options().dtype(at::kLong));
  rows.self_N = place_N + rank * num_rows;
  rows.positive_N = place_N.roll(num_rows / 2) + rank * num_rows;
  return rows;
}

}  // namespace

Contrastive::Contrastive(const ContrastiveSpec& spec, const Encoder& encoder, const RowGatherer& rows, const std::string& prefix,
                         Parameters* parameters)
    : spec_(spec),
      rows_(rows),
      projector_(MakeProjector(spec, encoder, prefix, parameters)),
      predictor_(MakePredictor(spec, prefix, parameters)) {}

at::Tensor Contrastive::Pool(const Encoding& encoding) const {
  if (spec_.pooling() == POOLING_MEAN) return encoding.visible_BKD.mean(1);
  ABSL_RAW_CHECK(encoding.class_BD.defined(), "POOLING_CLASS needs an encoder with a class token");
  return encoding.class_BD;
}

LossTerm Contrastive::Compute(const ForwardPass& pass) const {
  ABSL_RAW_CHECK(pass.encodings.size() == 2, "a contrastive objective compares two encodings of each image");
  const RowGatherer rows = pass.alone ? RowGatherer() : rows_;
  const at::Tensor projected_NE =
      projector_.Forward(at::cat({Pool(pass.encodings[0]), Pool(pass.encodings[1])}), rows);
  const at::Tensor unit_NE = UnitLength(projected_NE);
  LossTerm term;
  ContrastRows pairs;
  if (predictor_.has_value()) {
    // Row i's other view is half the rows further on.
    const at::Tensor other_NE = projected_NE.roll(projected_NE.size(0) / 2, 0);
    term.value = NegativeFreeLoss(predictor_->Forward(projected_NE, rows), other_NE);
    pairs = Pair(unit_NE.detach(), rows.gather(unit_NE.detach()), rows.rank);
  } else {
    pairs = Pair(unit_NE, rows.gather(unit_NE), rows.rank);
    term.value = InfoNce(pairs, spec_.info_nce().temperature());
  }
  term.stats["embedding_std"] = EmbeddingStd(pairs.candidates_RE);
  term.stats["alignment"] = Alignment(pairs);
  term.stats["uniformity"] = Uniformity(pairs);
  term.stats["retrieval"] = Retrieval(pairs);
  return term;
}

}  // namespace mimeo
