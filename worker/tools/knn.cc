#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "evaluation/answers.h"
#include "evaluation/knn.h"
#include "evaluation/labelled_features.h"
#include "spdlog/spdlog.h"
#include "worker/tools/labelled_flags.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  LabelledFlags labelled;
  KnnOptions knn;
};

absl::StatusOr<Answers> Classify(const at::Tensor& bank, const at::Tensor& query, const LabelledSplit& split,
                                 const Flags& flags) {
  return ClassifyByNeighbours(bank, split.bank.labels, query, split.query.labels, flags.knn);
}

absl::Status Knn(const Flags& flags) {
  ASSIGN_OR_RETURN(const LabelledFeatures features, EmbedByFlags(flags.labelled, "knn"));
  const LabelledSplit& encoder = features.encoders.front();
  const LabelledSplit& raw = features.raw_pixels;
  const auto voters = VotersOf(flags.knn, features.bank.images);
  if (voters < flags.knn.k) {
    spdlog::warn("--k={} is more than the bank's {} images: all of them vote", flags.knn.k, voters);
  }
  nlohmann::ordered_json result;
  ASSIGN_OR_RETURN(const Answers by_mean,
                   Classify(encoder.bank.patch_mean_ND, encoder.query.patch_mean_ND, encoder, flags));
  result["knn_accuracy"] = Accuracy(by_mean);
  result["knn_accuracy_patch_mean"] = Accuracy(by_mean);
  result["knn_balanced_accuracy"] = BalancedAccuracy(by_mean);
  if (encoder.bank.class_token_ND.defined()) {
    ASSIGN_OR_RETURN(const Answers by_class,
                     Classify(encoder.bank.class_token_ND, encoder.query.class_token_ND, encoder, flags));
    result["knn_accuracy_class"] = Accuracy(by_class);
  }
  ASSIGN_OR_RETURN(const Answers by_pixels, Classify(raw.bank.patch_mean_ND, raw.query.patch_mean_ND, raw, flags));
  result["majority_rate"] = Accuracy(AlwaysMostFrequent(by_mean.truth));
  result["knn_raw_pixels"] = Accuracy(by_pixels);
  result["knn_raw_pixels_balanced"] = BalancedAccuracy(by_pixels);
  result["k"] = voters;
  result["temperature"] = flags.knn.temperature;
  AddCounts(features, &result);
  AddClasses(features, {{"knn", &by_mean}}, &result);
  PrintResult(result);
  return absl::OkStatus();
}

}  // namespace

int RunKnn(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "k-NN classification by an encoder's features, as DINO's protocol: one JSON object on stdout. knn_accuracy is "
      "that of "
      "the mean patch token, as in jobs; beside it that of the class token, and the rates of the majority class and of "
      "k-NN on "
      "raw pixels.",
      "knn");
  AddLabelledFlags(&app, &flags.labelled);
  app.add_option("--k", flags.knn.k, "Neighbours (default 20; all of a bank that has fewer)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--temperature", flags.knn.temperature,
                 "A neighbour votes exp(similarity / temperature) (default 0.07)");
  app.footer("Example:\n  worker knn --weights=out/encoder --data=examples/clothing");
  return RunVerb(&app, argc, argv, &flags.labelled.threads, [&flags] { return Knn(flags); });
}

}  // namespace mimeo
