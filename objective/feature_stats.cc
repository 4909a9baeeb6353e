#include "objective/feature_stats.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include "base/check.h"
#include "objective/losses.h"
#include "objective/pooling.h"

namespace mimeo {
namespace {

constexpr int64_t kRowsOfARank = 256;  // the decomposition's cost is their cube

}  // namespace

std::map<std::string, at::Tensor> FeatureStats(const std::vector<Encoding>& encodings) {
  MIMEO_CHECK(!encodings.empty(), "statistics of no encoding");
  const at::NoGradGuard no_grad;
  const at::Tensor features_ND = Pool(encodings[0], POOLING_MEAN);
  std::map<std::string, at::Tensor> stats;
  stats["encoder/embedding_std"] = EmbeddingStd(UnitLength(features_ND));
  stats["encoder/effective_rank"] = EffectiveRank(features_ND.slice(0, 0, kRowsOfARank)).to(at::kFloat);
  if (encodings.size() < 2) return stats;
  ContrastRows rows;
  rows.anchors_NE = UnitLength(at::cat({features_ND, Pool(encodings[1], POOLING_MEAN)}));
  rows.candidates_RE = rows.anchors_NE;
  rows.self_N = at::arange(rows.anchors_NE.size(0), rows.anchors_NE.options().dtype(at::kLong));
  rows.positive_N = rows.self_N.roll(features_ND.size(0));
  stats["encoder/alignment"] = Alignment(rows);
  stats["encoder/uniformity"] = Uniformity(rows);
  stats["encoder/retrieval"] = Retrieval(rows);
  return stats;
}

}  // namespace mimeo
