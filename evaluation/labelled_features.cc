#include "evaluation/labelled_features.h"

#include <memory>
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

// The features of one set: of each encoder, and last of the raw pixels.
struct SetFeatures {
  std::vector<Embeddings> by_use;
  MeasuredImages images;
};

absl::StatusOr<SetFeatures> EmbedSet(const std::vector<MeasuredEncoder>& encoders, const LabelledSet& set,
                                     const PassOptions& options) {
  std::vector<std::unique_ptr<ImageEmbedder>> embedders;
  std::vector<CropUse*> uses;
  for (const MeasuredEncoder& measured : encoders) {
    embedders.push_back(
        std::make_unique<ImageEmbedder>(measured.encoder, measured.statistics, ImageEmbedder::Options()));
    uses.push_back(embedders.back().get());
  }
  RawPixels pixels(encoders.front().encoder->image().channels);
  uses.push_back(&pixels);
  ASSIGN_OR_RETURN(const std::vector<LeftOut> left_out, RunPass(*set.dataset, options, uses));
  LogLeftOut(*set.dataset, left_out);
  SetFeatures features;
  for (const auto& embedder : embedders) features.by_use.push_back(embedder->Finish());
  features.by_use.push_back(pixels.Finish());
  features.images.images = static_cast<int64_t>(features.by_use.front().samples.size());
  features.images.unlabelled = set.unlabelled;
  features.images.contents = set.dataset->contents();
  features.images.undecodable = Undecodable(*set.dataset, left_out);
  if (features.images.images > 0) return features;
  return absl::InvalidArgumentError(absl::StrCat(set.name, ": ", NoneDecodes(*set.dataset, left_out).message()));
}

// The classes of the bank keep their numbers, and one that only the query has gets a number behind them.
LabelledSplit Joined(const LabelledSet& bank, const LabelledSet& query, const ImageShape& image, Embeddings of_bank,
                     Embeddings of_query) {
  LabelledSplit split;
  split.image = image;
  split.bank = std::move(of_bank);
  split.query = std::move(of_query);
  split.query.labels = LabelsAmong(split.query.labels, query.dataset->class_names(), bank.dataset->class_names());
  for (const int64_t sample : split.bank.samples) split.bank_names.push_back(bank.dataset->name(sample));
  return split;
}

std::vector<std::string> NamesByNumber(const LabelledSet& bank, const LabelledSet& query) {
  std::vector<std::string> names = bank.dataset->class_names();
  const std::vector<std::string>& more = query.dataset->class_names();
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

}  // namespace

LabelledSet TakeLabelled(const std::string& name, std::unique_ptr<Dataset> dataset, int64_t most) {
  LabelledSet set;
  set.name = name;
  set.dataset = std::move(dataset);
  const std::vector<int64_t> labelled = LabelledAmong(*set.dataset, AllSamples(*set.dataset));
  set.unlabelled = set.dataset->size() - static_cast<int64_t>(labelled.size());
  set.samples = SpreadSample(*set.dataset, labelled, most);
  return set;
}

absl::StatusOr<LabelledSet> OpenLabelledSet(const std::string& name, const std::string& path, int64_t most,
                                            const std::string& members) {
  ASSIGN_OR_RETURN(std::unique_ptr<Dataset> dataset, Dataset::Open(path, nullptr, members));
  return TakeLabelled(name, std::move(dataset), most);
}

absl::StatusOr<LabelledFeatures> EmbedLabelled(const std::vector<MeasuredEncoder>& encoders, const LabelledSet& bank,
                                               const LabelledSet& query, const LabelledOptions& options) {
  RETURN_IF_ERROR(SayWhatIsMeasured(bank, query));
  PassOptions pass;
  pass.batch = options.batch;
  pass.samples = bank.samples;
  pass.progress = options.bank_progress;
  ASSIGN_OR_RETURN(SetFeatures of_bank, EmbedSet(encoders, bank, pass));
  pass.samples = query.samples;
  pass.progress = options.query_progress;
  ASSIGN_OR_RETURN(SetFeatures of_query, EmbedSet(encoders, query, pass));
  LabelledFeatures features;
  for (size_t i = 0; i < encoders.size(); ++i) {
    features.encoders.push_back(
        Joined(bank, query, encoders[i].encoder->image(), std::move(of_bank.by_use[i]), std::move(of_query.by_use[i])));
  }
  const ImageShape picture = {encoders.front().encoder->image().channels, kRawPixelsPx, kRawPixelsPx};
  features.raw_pixels =
      Joined(bank, query, picture, std::move(of_bank.by_use.back()), std::move(of_query.by_use.back()));
  features.bank = std::move(of_bank.images);
  features.query = std::move(of_query.images);
  features.class_names = NamesByNumber(bank, query);
  features.notes =
      LabelNotes({bank.name, bank.dataset.get(), bank.samples}, {query.name, query.dataset.get(), query.samples});
  return features;
}

}  // namespace mimeo
