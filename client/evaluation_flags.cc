#include "client/evaluation_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace mimeo {
namespace {

std::string Absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

// Whether a --set says what is judged by, if by nothing ("evaluation.path=").
bool IsSet(const std::vector<std::string>& sets) {
  return std::any_of(sets.begin(), sets.end(), [](const std::string& set) {
    return absl::StartsWith(set, "evaluation.path=") || absl::StartsWith(set, "evaluation.bank_path=") ||
           absl::StartsWith(set, "evaluation.hold_out=");
  });
}

void HoldOut(double share, EvaluationSpec* evaluation) {
  evaluation->clear_path();
  evaluation->clear_bank_path();
  evaluation->set_hold_out(share);
}

}  // namespace

void AddEvaluationFlags(CLI::App* verb, EvaluationFlags* flags) {
  CLI::Option* const hold_out =
      verb->add_option(
              "--hold_out", flags->hold_out,
              "a share of the images to judge by and never to train on, e.g. 0.1 (over the recipe's evaluation)")
          ->check(CLI::Range(0.0, 0.5));
  verb->add_option("--evaluate", flags->evaluate, "other images to judge by (over the recipe's evaluation)")
      ->excludes(hold_out);
}

std::string ApplyEvaluationFlags(const EvaluationFlags& flags, const std::string& data,
                                 const std::vector<std::string>& sets, JobSpec* spec) {
  EvaluationSpec* const evaluation = spec->mutable_evaluation();
  if (flags.hold_out.has_value()) {
    HoldOut(*flags.hold_out, evaluation);
    return "";
  }
  const bool other_photos =
      !data.empty() && (spec->data().path().empty() || Absolute(data) != Absolute(spec->data().path()));
  if (!flags.evaluate.empty()) {
    evaluation->set_path(flags.evaluate);
    evaluation->clear_hold_out();
    if (other_photos && !IsSet(sets)) evaluation->clear_bank_path();
    return "";
  }
  if (!other_photos || evaluation->path().empty() || IsSet(sets)) return "";
  const std::string dropped = evaluation->path();
  HoldOut(kUsualHoldOut, evaluation);
  return absl::StrCat("the recipe's evaluation.path ", ToText(dropped),
                      " is of other photos and is left out; this job holds out ", 100 * kUsualHoldOut, " % of ",
                      ToText(data),
                      " by a digest of their bytes, never trained on (--evaluate and --hold_out say something else)");
}

}  // namespace mimeo
