#include "evaluation/labelled_features.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/spread_sample.h"
#include "evaluation/crop_pass.h"
#include "evaluation/knn.h"
#include "evaluation/label_census.h"
#include "evaluation/left_out.h"
#include "evaluation/raw_pixels.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

absl::Status SayWhatIsMeasured(const LabelledSet& bank, const LabelledSet& query) {
  const std::vector<std::string> lines =
      DescribeLabels({bank.name, bank.dataset.get(), bank.samples}, {query.name, query.dataset.get(), query.samples});
  if (bank.samples.empty() || query.samples.empty()) {
    return absl::InvalidArgumentError(lines[bank.samples.empty() ? 0 : 1]);
  }
  for (const std::string& line : lines) spdlog::info("{}", line);
  return CheckClassesMeet({bank.name, bank.dataset.get(), bank.samples},
                          {query.name, query.dataset.get(), query.samples});
}

// By the encoder, and the raw pixels.
absl::Status EmbedSet(const LoadedEncoder& loaded, const LabelledSet& set, const PassOptions& options,
                      Embeddings* by_encoder, Embeddings* raw_pixels) {
  ImageEmbedder embedder(loaded.encoder.get(), loaded.statistics, {});
  RawPixels pixels(loaded.image.channels);
  ASSIGN_OR_RETURN(const std::vector<LeftOut> left_out, RunPass(*set.dataset, options, {&embedder, &pixels}));
  LogLeftOut(*set.dataset, left_out);
  *by_encoder = embedder.Finish();
  *raw_pixels = pixels.Finish();
  if (!by_encoder->samples.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(set.name, ": ", NoneDecodes(*set.dataset, left_out).message()));
}

void NumberAlike(const LabelledSet& bank, const LabelledSet& query, LabelledSplit* split) {
  split->query.labels = LabelsAmong(split->query.labels, query.dataset->class_names(), bank.dataset->class_names());
  for (const int64_t sample : split->bank.samples) split->bank_names.push_back(bank.dataset->name(sample));
}

}  // namespace

absl::StatusOr<LabelledSet> OpenLabelledSet(const std::string& name, const std::string& path, int64_t most) {
  LabelledSet set;
  set.name = name;
  ASSIGN_OR_RETURN(set.dataset, Dataset::Open(path));
  const std::vector<int64_t> labelled = LabelledAmong(*set.dataset, AllSamples(*set.dataset));
  set.unlabelled = set.dataset->size() - static_cast<int64_t>(labelled.size());
  set.samples = SpreadSample(*set.dataset, labelled, most);
  return set;
}

absl::StatusOr<LabelledFeatures> EmbedLabelled(const LoadedEncoder& loaded, const LabelledSet& bank,
                                               const LabelledSet& query, const LabelledOptions& options) {
  RETURN_IF_ERROR(SayWhatIsMeasured(bank, query));
  LabelledFeatures features;
  features.image = loaded.image;
  features.unlabelled = query.unlabelled;
  features.bank_unlabelled = bank.unlabelled;
  LabelledSplit& encoder = features.encoder;
  LabelledSplit& raw = features.raw_pixels;
  PassOptions pass;
  pass.batch = options.batch;
  pass.samples = bank.samples;
  pass.progress = options.bank_progress;
  RETURN_IF_ERROR(EmbedSet(loaded, bank, pass, &encoder.bank, &raw.bank));
  pass.samples = query.samples;
  pass.progress = options.query_progress;
  RETURN_IF_ERROR(EmbedSet(loaded, query, pass, &encoder.query, &raw.query));
  NumberAlike(bank, query, &encoder);
  NumberAlike(bank, query, &raw);
  return features;
}

}  // namespace mimeo
