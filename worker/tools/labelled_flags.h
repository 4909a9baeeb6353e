// The flags that `knn`, `linear` and `compare` share, and the images that they measure. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/answers.h"
#include "evaluation/labelled_features.h"

namespace CLI {
class App;
}

namespace mimeo {

// Their values; AddLabelledFlags documents each of them for --help.
struct LabelledFlags {
  std::string weights;
  std::string data;
  std::string bank;
  double hold_out = 0;
  std::string members;
  int batch = 32;
  int image_px = 0;
  int64_t max_images = 0;
  int threads = 0;
};
void AddLabelledFlags(CLI::App* app, LabelledFlags* flags);

// The images that vote, and those that are classified by them.
struct LabelledSets {
  LabelledSet bank;
  LabelledSet query;
};
// Opens both. Without flags.bank, flags.data is a folder that holds train/ (the bank) and validation/; or, with
// flags.hold_out, one data set that is divided (data/divided_dataset.h).
//
// InvalidArgument, naming the flag: there are no such folders, flags contradict each other, or one of the parts is
// empty. Other errors are those of Dataset::Open and DividedDataset::Divide.
absl::StatusOr<LabelledSets> OpenSets(const LabelledFlags& flags);

// Embeds both sets by each encoder. `verb` stands before the progress on stderr. InvalidArgument, naming the flag: a
// set has no label at all, or none of its images can be decoded. Other errors are those of EmbedLabelled.
absl::StatusOr<LabelledFeatures> EmbedByFlags(const LabelledFlags& flags, const LabelledSets& sets,
                                              const std::vector<MeasuredEncoder>& encoders, const std::string& verb);

// The features of the one encoder that flags.weights names. Other errors are those of OpenEncoder and OpenSets.
absl::StatusOr<LabelledFeatures> EmbedByFlags(const LabelledFlags& flags, const std::string& verb);

// Adds what the numbers of `knn` and `linear` were measured on: images, bank_images, unlabelled, bank_unlabelled,
// image_px, image_width_px, what either set leaves out (left_out, bank_left_out: AddLeftOut), and notes.
void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result);

// Adds `classes`: for each class of the judged images its name, how many there are, and the share of them that is
// right, under the name of the measure. `answers`: one of each measure, of the same images.
void AddClasses(const LabelledFeatures& features, const std::vector<std::pair<std::string, const Answers*>>& answers,
                nlohmann::ordered_json* result);

}  // namespace mimeo
