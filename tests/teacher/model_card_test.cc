// Does a shipped teacher do what its model card says? k-NN accuracies are computed again from the shipped weights and
// photos.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/dataset.h"
#include "evaluation/embedding.h"
#include "evaluation/knn.h"
#include "model/encoder.h"
#include "model/weights.h"

namespace mimeo {
namespace {

constexpr char kTeachers[] = "examples/teachers";
constexpr int64_t kMostBytes = 12 << 20;

struct Photos {
  std::unique_ptr<Dataset> bank, queries;
};

Photos OpenPhotos() {
  return {*Dataset::Open("examples/clothing/train"), *Dataset::Open("examples/clothing/validation")};
}

// The number behind "| TITLE |" in the card's tables.
double Stated(const std::string& card, const std::string& title) {
  std::smatch found;
  const std::regex row("\\| " + title + " \\| ([0-9.]+) \\|");
  EXPECT_TRUE(std::regex_search(card, found, row)) << title;
  return found.empty() ? -1 : std::stod(found[1]);
}

double Accuracy(const Photos& photos, const Embeddings& bank, const Embeddings& queries) {
  const std::vector<int> labels =
      LabelsAmong(queries.labels, photos.queries->class_names(), photos.bank->class_names());
  return *KnnAccuracy(bank.patch_mean_ND, bank.labels, queries.patch_mean_ND, labels, KnnOptions());
}

double AccuracyOf(const Encoder& encoder, const LoadedEncoder& loaded) {
  const Photos photos = OpenPhotos();
  EmbedOptions options;
  options.image = loaded.image;
  return Accuracy(photos, *EmbedImages(*photos.bank, encoder, loaded.statistics, options),
                  *EmbedImages(*photos.queries, encoder, loaded.statistics, options));
}

class ModelCard : public ::testing::TestWithParam<std::string> {
 protected:
  std::string Path(const std::string& file) const { return JoinPath(JoinPath(kTeachers, GetParam()), file); }
};

TEST_P(ModelCard, StatesWhatTheWeightsDo) {
  ASSERT_OK_AND_ASSIGN(const std::string card, ReadFile(Path("README.md")));
  ASSERT_OK_AND_ASSIGN(const LoadedEncoder loaded, LoadEncoder(JoinPath(kTeachers, GetParam())));
  EXPECT_LE(std::filesystem::file_size(Path("model.safetensors")), kMostBytes);
  EXPECT_EQ(loaded.family, "hf-vit");
  constexpr double kOnePhoto = 1.0 / 341, kRounded = 5e-4;  // two may change sides on another kind of CPU
  EXPECT_NEAR(AccuracyOf(*loaded.encoder, loaded), Stated(card, "this teacher"), 2 * kOnePhoto + kRounded);
  Parameters parameters(1);
  const auto untrained = MakeEncoder(loaded.spec, loaded.image, &parameters);
  EXPECT_NEAR(AccuracyOf(*untrained, loaded), Stated(card, "the same ViT, untrained"), 2 * kOnePhoto + kRounded);

  const Photos photos = OpenPhotos();
  EmbedOptions options;
  options.image = loaded.image;
  const Embeddings queries = *RawPixelFeatures(*photos.queries, 32, options);
  EXPECT_NEAR(Accuracy(photos, *RawPixelFeatures(*photos.bank, 32, options), queries),
              Stated(card, "raw pixels, 32 x 32"), kOnePhoto + kRounded);
  EXPECT_NEAR(MajorityRate(queries.labels), Stated(card, "the most frequent class"), kRounded);
}

std::vector<std::string> Teachers() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kTeachers)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}
INSTANTIATE_TEST_SUITE_P(Shipped, ModelCard, ::testing::ValuesIn(Teachers()));

}  // namespace
}  // namespace mimeo
