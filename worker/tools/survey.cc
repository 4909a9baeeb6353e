#include "data/survey.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "worker/tools/left_out_json.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string data;
  SurveyOptions options;
  int threads = 0;
};

Json SpreadJson(const DatasetSurvey::Spread& spread) {
  return {{"smallest", spread.smallest}, {"median", spread.median}, {"largest", spread.largest}};
}

Json SurveyJson(const Flags& flags, const DatasetSurvey& survey) {
  Json result = {{"path", ToText(flags.data)},
                 {"kind", survey.kind},
                 {"images", survey.images},
                 {"labelled", survey.labelled},
                 {"classes", Json::array()}};
  for (const auto& [name, images] : survey.classes) result["classes"].push_back({{"name", name}, {"images", images}});
  AddLeftOut(survey.contents, survey.undecodable, &result);
  result["undecodable"]["looked_at"] = survey.looked_at;
  result["width"] = SpreadJson(survey.width);
  result["height"] = SpreadJson(survey.height);
  result["grey"] = survey.grey;
  result["duplicates"] = {{"groups", survey.duplicate_groups}, {"images", survey.duplicate_images}};
  if (survey.held_out.has_value()) {
    result["held_out"] = {{"share", flags.options.hold_out},
                          {"images", survey.held_out->images},
                          {"labelled", survey.held_out->labelled},
                          {"classes", survey.held_out->classes},
                          {"least_share", survey.held_out->least_share}};
  }
  result["notes"] = Json::array();
  for (const std::string& note : survey.contents.notes()) result["notes"].push_back(note);
  return result;
}

absl::Status TakeAndPrint(const Flags& flags) {
  const absl::Time began = Clock::Real()->Now();
  ASSIGN_OR_RETURN(const DatasetSurvey survey, TakeSurvey(flags.data, flags.options));
  Json result = SurveyJson(flags, survey);
  result["seconds"] = absl::ToDoubleSeconds(Clock::Real()->Now() - began);
  PrintResult(result);
  return absl::OkStatus();
}

}  // namespace

int RunSurvey(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "What a folder or tar of images holds, before anything is trained on it: one JSON object on stdout. Every image "
      "is "
      "listed and its ends are read; up to 512 are decoded, fewer of large ones.",
      "survey");
  app.add_option("--data", flags.data, "Images: a folder, class folders, a tar, or a folder of tars")->required();
  app.add_option("--hold_out", flags.options.hold_out, "Also say what evaluation.hold_out would hold out: a share")
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--members", flags.options.members, "Of a tar: the recipe's data.members");
  app.footer("Example:\n  worker survey --data=photos --hold_out=0.1");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return TakeAndPrint(flags); });
}

}  // namespace mimeo
