#include "client/plan/survey.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr absl::Duration kPatience = absl::Hours(1);
constexpr int kWrongRequestCode = 2;

}  // namespace

absl::StatusOr<int64_t> CountImages(const JobSpec& spec) {
  ASSIGN_OR_RETURN(const std::string worker, FindBinary("worker"));
  Subprocess::Options options;
  options.argv = {worker, "survey", "--data", spec.data().path()};
  if (spec.evaluation().hold_out() > 0) {
    options.argv.insert(options.argv.end(), {"--hold_out", absl::StrCat(spec.evaluation().hold_out())});
  }
  if (spec.data().has_members()) options.argv.insert(options.argv.end(), {"--members", spec.data().members()});
  options.capture_stdout = true;
  std::string errors;
  options.on_stderr = [&errors](absl::string_view piece) { errors.append(piece.data(), piece.size()); };
  ASSIGN_OR_RETURN(const auto survey, Subprocess::Start(options));
  ASSIGN_OR_RETURN(const ExitStatus ended, survey->Wait(Clock::Real()->Now() + kPatience));
  if (ended.code == kWrongRequestCode && absl::StrContains(errors, "--help")) {
    return absl::UnimplementedError("the worker binary has no survey");
  }
  if (!ended.ok()) {
    const std::string said = ToLines(absl::StripSuffix(errors, "\n"));
    return absl::InvalidArgumentError(said.empty() ? absl::StrCat("worker survey ", ended.ToString()) : said);
  }
  const auto found = nlohmann::json::parse(survey->output(), nullptr, /*allow_exceptions=*/false);
  if (!found.is_object() || !found.contains("images") || !found["images"].is_number_integer()) {
    return absl::InternalError("worker survey gave no count of images");
  }
  int64_t images = found["images"].get<int64_t>();
  if (found.contains("held_out") && found["held_out"].is_object()) {
    const auto held_out = found["held_out"].find("images");
    if (held_out != found["held_out"].end() && held_out->is_number_integer()) images -= held_out->get<int64_t>();
  }
  return images;
}

}  // namespace mimeo
