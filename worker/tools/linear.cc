#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "evaluation/answers.h"
#include "evaluation/labelled_features.h"
#include "evaluation/linear_probe.h"
#include "worker/tools/labelled_flags.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

absl::StatusOr<LinearProbe> Probe(const at::Tensor& bank, const at::Tensor& query, const LabelledSplit& split) {
  return ProbeLinearly(bank, split.bank.labels, split.bank_names, query, split.query.labels);
}

absl::Status Linear(const LabelledFlags& flags) {
  ASSIGN_OR_RETURN(const LabelledFeatures features, EmbedByFlags(flags, "linear"));
  const LabelledSplit& encoder = features.encoders.front();
  const LabelledSplit& raw = features.raw_pixels;
  nlohmann::ordered_json result;
  ASSIGN_OR_RETURN(const LinearProbe by_mean, Probe(encoder.bank.patch_mean_ND, encoder.query.patch_mean_ND, encoder));
  result["linear_accuracy"] = Accuracy(by_mean.answers);
  result["linear_accuracy_patch_mean"] = Accuracy(by_mean.answers);
  result["linear_balanced_accuracy"] = BalancedAccuracy(by_mean.answers);
  result["strength_patch_mean"] = by_mean.strength;
  if (encoder.bank.class_token_ND.defined()) {
    ASSIGN_OR_RETURN(const LinearProbe by_class,
                     Probe(encoder.bank.class_token_ND, encoder.query.class_token_ND, encoder));
    result["linear_accuracy_class"] = Accuracy(by_class.answers);
    result["strength_class"] = by_class.strength;
  }
  ASSIGN_OR_RETURN(const LinearProbe by_pixels, Probe(raw.bank.patch_mean_ND, raw.query.patch_mean_ND, raw));
  result["majority_rate"] = Accuracy(AlwaysMostFrequent(encoder.query.labels));
  result["linear_raw_pixels"] = Accuracy(by_pixels.answers);
  result["linear_raw_pixels_balanced"] = BalancedAccuracy(by_pixels.answers);
  AddCounts(features, &result);
  AddClasses(features, {{"linear", &by_mean.answers}}, &result);
  PrintResult(result);
  return absl::OkStatus();
}

}  // namespace

int RunLinear(int argc, char** argv) {
  LabelledFlags flags;
  CLI::App app(
      "A linear probe: logistic regression on an encoder's features, which stay as they are; its L2 penalty chosen on "
      "a fifth of "
      "the bank. One JSON object on stdout: linear_accuracy is that of the mean patch token; beside it that of the "
      "class "
      "token, and the rates of the majority class and of the same on raw pixels.",
      "linear");
  AddLabelledFlags(&app, &flags);
  app.footer("Example:\n  worker linear --weights=out/encoder --data=examples/clothing");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Linear(flags); });
}

}  // namespace mimeo
