#include "worker/tools/labelled_flags.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/divided_dataset.h"
#include "data/stored_dataset.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/left_out_json.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

absl::StatusOr<LabelledSets> OpenTwo(const std::string& bank, const std::string& data, const LabelledFlags& flags) {
  LabelledSets sets;
  ASSIGN_OR_RETURN(sets.bank, OpenLabelledSet(absl::StrCat("--bank=", bank), bank, flags.max_images, flags.members));
  ASSIGN_OR_RETURN(sets.query, OpenLabelledSet(absl::StrCat("--data=", data), data, flags.max_images, flags.members));
  return sets;
}

// As a job with evaluation.hold_out divides its data set: what is judged was never trained on.
absl::StatusOr<LabelledSets> OpenDivided(const LabelledFlags& flags) {
  const std::string name = absl::StrCat("--data=", flags.data);
  ASSIGN_OR_RETURN(std::unique_ptr<StoredDataset> whole, StoredDataset::Open(flags.data, nullptr, flags.members));
  const absl::StatusOr<DividedDataset> divided = DividedDataset::Divide(std::move(whole), flags.hold_out);
  if (!divided.ok()) {
    return absl::Status(divided.status().code(),
                        absl::StrCat(name, ", --hold_out=", flags.hold_out, ": ", divided.status().message()));
  }
  LabelledSets sets;
  sets.bank = TakeLabelled(name + " but what is held out", divided->Training(), flags.max_images);
  sets.query = TakeLabelled(name + ", held out", divided->HeldOut(), flags.max_images);
  return sets;
}

nlohmann::ordered_json LeftOutOf(const MeasuredImages& measured) {
  nlohmann::ordered_json json;
  AddLeftOut(measured.contents, measured.undecodable, &json);
  return json;
}

}  // namespace

void AddLabelledFlags(CLI::App* app, LabelledFlags* flags) {
  app->add_option("--weights", flags->weights, "A weights file, or a folder with model.safetensors")->required();
  app->add_option("--data", flags->data,
                  "Labelled images to classify; without --bank a folder with train/ and validation/")
      ->required();
  CLI::Option* const bank = app->add_option("--bank", flags->bank, "Labelled images to classify by");
  app->add_option("--hold_out", flags->hold_out,
                  "Without --bank: classify this share of DATA by the rest, as evaluation.hold_out of a job")
      ->check(CLI::Range(0.0, 0.5))
      ->excludes(bank);
  app->add_option("--members", flags->members, "Of a tar's samples the images of this name, as data.members of a job");
  app->add_option("--batch", flags->batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  AddImagePxFlag(app, &flags->image_px);
  app->add_option("--max_images", flags->max_images, "Of either set so many, spread over its classes; 0: all (default)")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--threads", flags->threads, "Compute threads (default: one per core)");
}

absl::StatusOr<LabelledSets> OpenSets(const LabelledFlags& flags) {
  if (!flags.bank.empty()) return OpenTwo(flags.bank, flags.data, flags);
  if (flags.hold_out > 0) return OpenDivided(flags);
  const std::string bank = JoinPath(flags.data, "train"), judged = JoinPath(flags.data, "validation");
  if (IsDirectory(bank) && IsDirectory(judged)) return OpenTwo(bank, judged, flags);
  return absl::InvalidArgumentError(absl::StrCat("--data=", flags.data,
                                                 ": holds no train/ and validation/; name the labelled images "
                                                 "that vote with --bank, or classify a share of them with --hold_out"));
}

absl::StatusOr<LabelledFeatures> EmbedByFlags(const LabelledFlags& flags, const LabelledSets& sets,
                                              const std::vector<MeasuredEncoder>& encoders, const std::string& verb) {
  LabelledOptions options;
  options.batch = flags.batch;
  options.bank_progress = ProgressLines(verb + ": bank");
  options.query_progress = ProgressLines(verb + ": query");
  return EmbedLabelled(encoders, sets.bank, sets.query, options);
}

absl::StatusOr<LabelledFeatures> EmbedByFlags(const LabelledFlags& flags, const std::string& verb) {
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, flags.image_px));
  ASSIGN_OR_RETURN(const LabelledSets sets, OpenSets(flags));
  return EmbedByFlags(flags, sets, {{loaded.encoder.get(), loaded.statistics}}, verb);
}

void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result) {
  (*result)["images"] = features.query.images;
  (*result)["bank_images"] = features.bank.images;
  (*result)["unlabelled"] = features.query.unlabelled;
  (*result)["bank_unlabelled"] = features.bank.unlabelled;
  (*result)["image_px"] = features.encoders.front().image.height_px;
  (*result)["image_width_px"] = features.encoders.front().image.width_px;
  (*result)["left_out"] = LeftOutOf(features.query);
  (*result)["bank_left_out"] = LeftOutOf(features.bank);
  (*result)["notes"] = features.notes;
}

void AddClasses(const LabelledFeatures& features, const std::vector<std::pair<std::string, const Answers*>>& answers,
                nlohmann::ordered_json* result) {
  nlohmann::ordered_json& classes = (*result)["classes"] = nlohmann::ordered_json::array();
  for (const auto& [measure, said] : answers) {
    const std::vector<ClassAnswers> rows = ByClass(*said);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i == classes.size()) {
        classes.push_back({{"name", ToText(features.class_names[rows[i].label])}, {"images", rows[i].images}});
      }
      classes[i][measure] = rows[i].recall();
    }
  }
}

}  // namespace mimeo
