// Does a shipped teacher do what its model card says? k-NN accuracies are computed again from the shipped weights and
// photos.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/dataset.h"
#include "evaluation/answers.h"
#include "evaluation/crop_pass.h"
#include "evaluation/embedding.h"
#include "evaluation/knn.h"
#include "evaluation/raw_pixels.h"
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

double KnnAccuracy(const Photos& photos, const Embeddings& bank, const Embeddings& queries) {
  const std::vector<int> labels =
      LabelsAmong(queries.labels, photos.queries->class_names(), photos.bank->class_names());
  return Accuracy(*ClassifyByNeighbours(bank.patch_mean_ND, bank.labels, queries.patch_mean_ND, labels, KnnOptions()));
}

// Accuracies by what looks at the photos: each in its turn, in one pass.
struct Accuracies {
  double trained = 0, untrained = 0, raw_pixels = 0, majority = 0;
};

Accuracies Measure(const LoadedEncoder& loaded) {
  Parameters parameters(1);
  const auto untrained = MakeEncoder(loaded.spec, loaded.image, &parameters);
  const Photos photos = OpenPhotos();
  const auto embed = [&](const Dataset& dataset) {
    ImageEmbedder by_trained(loaded.encoder.get(), loaded.statistics, {});
    ImageEmbedder by_untrained(untrained.get(), loaded.statistics, {});
    RawPixels pixels(loaded.image.channels);
    EXPECT_OK(RunPass(dataset, {}, {&by_trained, &by_untrained, &pixels}));
    return std::vector<Embeddings>{by_trained.Finish(), by_untrained.Finish(), pixels.Finish()};
  };
  const std::vector<Embeddings> bank = embed(*photos.bank), queries = embed(*photos.queries);
  return {KnnAccuracy(photos, bank[0], queries[0]), KnnAccuracy(photos, bank[1], queries[1]),
          KnnAccuracy(photos, bank[2], queries[2]), Accuracy(AlwaysMostFrequent(queries[2].labels))};
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
  const Accuracies found = Measure(loaded);
  EXPECT_NEAR(found.trained, Stated(card, "this teacher"), 2 * kOnePhoto + kRounded);
  EXPECT_NEAR(found.untrained, Stated(card, "the same ViT, untrained"), 2 * kOnePhoto + kRounded);
  EXPECT_NEAR(found.raw_pixels, Stated(card, "raw pixels, 32 x 32"), kOnePhoto + kRounded);
  EXPECT_NEAR(found.majority, Stated(card, "the most frequent class"), kRounded);
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
