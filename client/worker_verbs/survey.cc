#include "client/worker_verbs/survey.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/json_fields.h"
#include "client/number_text.h"
#include "client/worker_verbs/worker_json.h"

namespace mimeo {
namespace {

using nlohmann::json;

constexpr size_t kClassesNamed = 5;  // of more the largest, and how many there are

std::vector<std::string> Texts(const json& object, const char* name) {
  std::vector<std::string> texts;
  for (const json& text : PartAt(object, name)) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::vector<NamedCount> Counts(const json& rows, const char* name, const char* count) {
  std::vector<NamedCount> counts;
  for (const json& row : rows) {
    if (row.is_object()) counts.push_back({TextAt(row, name), CountAt(row, count)});
  }
  return counts;
}

SideRange Side(const json& object, const char* name) {
  const json& side = PartAt(object, name);
  return {static_cast<int>(CountAt(side, "smallest")), static_cast<int>(CountAt(side, "median")),
          static_cast<int>(CountAt(side, "largest"))};
}

std::string CountsText(const std::vector<NamedCount>& counts, size_t named) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(named, counts.size()); ++i) {
    parts.push_back(absl::StrCat(ToText(counts[i].name), " ", Grouped(counts[i].count)));
  }
  if (counts.size() > named) parts.push_back(absl::StrCat("and ", counts.size() - named, " more"));
  return absl::StrJoin(parts, ", ");
}

std::string PhotosText(int64_t count) { return absl::StrCat(Grouped(count), count == 1 ? " photo" : " photos"); }

std::string LabelsLine(const Survey& survey) {
  if (survey.labelled == 0) {
    return "labels: none; a label is the name of a photo's first folder, or a .cls file of a tar";
  }
  const std::string rest = survey.labelled < survey.images
                               ? absl::StrCat("; ", PhotosText(survey.images - survey.labelled),
                                              survey.images - survey.labelled == 1 ? " has no label" : " have no label")
                               : "";
  return absl::StrCat("labels: ", survey.classes.size(), survey.classes.size() == 1 ? " class (" : " classes (",
                      CountsText(survey.classes, kClassesNamed), ")", rest, "; they judge, and train nothing");
}

}  // namespace

absl::StatusOr<Survey> ParseSurvey(const json& object) {
  for (const char* needed : {"images", "labelled"}) {
    const auto found = object.find(needed);
    if (found == object.end() || !found->is_number_integer() || found->get<int64_t>() < 0) {
      return absl::InternalError(absl::StrCat("worker survey: no number \"", needed, "\" in what it printed"));
    }
  }
  Survey survey;
  survey.path = TextAt(object, "path");
  survey.kind = TextAt(object, "kind");
  survey.images = CountAt(object, "images");
  survey.labelled = CountAt(object, "labelled");
  survey.classes = Counts(PartAt(object, "classes"), "name", "images");
  survey.passed_over = Counts(PartAt(object, "passed_over"), "reason", "count");
  const json& undecodable = PartAt(object, "undecodable");
  survey.looked_at = CountAt(undecodable, "looked_at");
  survey.undecodable = CountAt(undecodable, "count");
  survey.undecodable_names = Texts(undecodable, "names");
  survey.width = Side(object, "width");
  survey.height = Side(object, "height");
  const auto grey = object.find("grey");
  if (grey != object.end() && grey->is_number()) survey.grey = grey->get<double>();
  survey.duplicate_images = CountAt(PartAt(object, "duplicates"), "images");
  survey.held_out_images = CountAt(PartAt(object, "held_out"), "images");
  survey.held_out_labelled = CountAt(PartAt(object, "held_out"), "labelled");
  survey.least_share = NumberAt(PartAt(object, "held_out"), "least_share").value_or(0);
  survey.notes = Texts(object, "notes");
  return survey;
}

absl::StatusOr<Survey> RunSurvey(const std::string& path, double hold_out, const std::string& members) {
  std::vector<std::string> args = {"survey", "--data", path};
  if (hold_out > 0) args.insert(args.end(), {"--hold_out", absl::StrCat(hold_out)});
  if (!members.empty()) args.insert(args.end(), {"--members", members});
  ASSIGN_OR_RETURN(const json found, WorkerJson(args));
  return ParseSurvey(found);
}

std::vector<std::string> FoundLines(const Survey& survey) {
  std::vector<std::string> lines;
  std::string sizes;
  if (survey.width.median > 0) {
    sizes =
        absl::StrFormat(", typically %d x %d px (from %d x %d to %d x %d)", survey.width.median, survey.height.median,
                        survey.width.smallest, survey.height.smallest, survey.width.largest, survey.height.largest);
  }
  lines.push_back(absl::StrCat("photos: ", Grouped(survey.images), " in ", ToText(survey.path), " (", survey.kind, ")",
                               sizes, survey.grey >= 0.995 ? ", all of them grey" : ""));
  lines.push_back(LabelsLine(survey));
  if (survey.duplicate_images > 0) {
    lines.push_back(absl::StrCat("duplicates: ", Grouped(survey.duplicate_images),
                                 survey.duplicate_images == 1 ? " photo is" : " photos are",
                                 " byte-equal to another one; equal photos stay on one side of what is "
                                 "held out"));
  }
  if (!survey.passed_over.empty()) lines.push_back(absl::StrCat("left out: ", CountsText(survey.passed_over, 20)));
  if (survey.undecodable > 0) {
    lines.push_back(absl::StrCat("cannot be decoded: ", survey.undecodable, " of the ", Grouped(survey.looked_at),
                                 " that were tried (", ToText(absl::StrJoin(survey.undecodable_names, ", ")),
                                 "); others take their places"));
  }
  if (survey.held_out_images > 0) {
    lines.push_back(absl::StrCat("held out: ", PhotosText(survey.held_out_images), " (",
                                 Grouped(survey.held_out_labelled), " with a label), which ",
                                 survey.held_out_images == 1 ? "is" : "are", " never trained on",
                                 survey.held_out_labelled > 0 ? "; the verdict is on them" : ""));
  }
  for (const std::string& note : survey.notes) lines.push_back(ToText(note));
  return lines;
}

}  // namespace mimeo
