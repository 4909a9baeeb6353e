#include "client/evaluation_text.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/print.h"
#include "base/text.h"
#include "client/evaluation_summary.h"
#include "client/json_fields.h"
#include "client/number_text.h"
#include "client/table.h"
#include "client/wrapped_text.h"

namespace mimeo {
namespace {

using Json = nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

constexpr size_t kNameColumns = 36;
constexpr char kNone[] = "-";

std::string Share(const Json& json, const std::string& key) {
  const auto share = NumberAt(json, key);
  return share ? absl::StrFormat("%.3f", *share) : kNone;
}

std::string Name(const Json& json) { return OneLine(TextAt(json, "name"), kNameColumns); }

// Rows as people call them. `start_kind`: what the comparison says of its start.
std::string Spoken(const std::string& row, const std::string& start_kind) {
  if (row == "start") return StartRow(start_kind == "weights" ? StartKind::kWeights : StartKind::kUntrained);
  if (row == "raw_pixels") return "raw pixels";
  if (row == "majority") return "most frequent class";
  return OneLine(row, kNameColumns);
}

// `columns`: the key of each class's share, and its title.
std::string ClassTable(const Json& json, const std::vector<std::pair<std::string, std::string>>& columns) {
  Rows rows = {{"CLASS", "IMAGES"}};
  for (const auto& [key, title] : columns) rows[0].push_back(title);
  for (const Json& of_class : PartAt(json, "classes")) {
    rows.push_back({Name(of_class), absl::StrCat(CountAt(of_class, "images"))});
    for (const auto& [key, title] : columns) rows.back().push_back(Share(of_class, key));
  }
  return rows.size() == 1 ? "" : absl::StrCat("\n", TableText(rows));
}

// What one set leaves out, a sentence for each reason.
std::string LeftOut(const std::string& set, const Json& json) {
  std::string text;
  for (const Json& row : PartAt(json, "passed_over")) {
    absl::StrAppend(&text, WrappedText(absl::StrCat("passed over in the ", set, ": ", CountAt(row, "count"), " ",
                                                    ToText(TextAt(row, "reason"))),
                                       kLineColumns, 2));
  }
  const Json& undecodable = PartAt(json, "undecodable");
  if (CountAt(undecodable, "count") == 0) return text;
  const Json& names = PartAt(undecodable, "names");
  const std::string first =
      names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>() : "";
  absl::StrAppend(&text, WrappedText(absl::StrCat("left out of the ", set, ": ", CountAt(undecodable, "count"),
                                                  " images that cannot be decoded; the first: ", ToText(first)),
                                     kLineColumns, 2));
  return text;
}

std::string Notes(const Json& json) {
  std::string text;
  for (const Json& note : PartAt(json, "notes")) {
    if (note.is_string()) absl::StrAppend(&text, WrappedText(ToText(note.get<std::string>()), kLineColumns, 2));
  }
  return text;
}

std::string Paragraph(const std::string& text) { return text.empty() ? "" : absl::StrCat("\n", text); }

std::string NeighboursText(const Json& json) {
  const auto k = NumberAt(json, "k"), temperature = NumberAt(json, "temperature");
  return k && temperature ? absl::StrCat("k-NN: k ", NumberText(*k), ", temperature ", NumberText(*temperature)) : "";
}

// Of `knn` and `linear`, whose keys begin with `prefix`.
std::string OneMeasureText(const Json& json, const std::string& prefix, const std::string& title) {
  Rows rows = {{"FEATURES", title, "BALANCED"}};
  rows.push_back(
      {"encoder, mean patch token", Share(json, prefix + "_accuracy"), Share(json, prefix + "_balanced_accuracy")});
  if (NumberAt(json, prefix + "_accuracy_class")) {
    rows.push_back({"encoder, class token", Share(json, prefix + "_accuracy_class"), kNone});
  }
  rows.push_back({"raw pixels", Share(json, prefix + "_raw_pixels"), Share(json, prefix + "_raw_pixels_balanced")});
  rows.push_back({"most frequent class", Share(json, "majority_rate"), kNone});
  const std::string neighbours = NeighboursText(json);
  const std::string head = WrappedText(absl::StrCat(Counted(CountAt(json, "images"), "image"), " judged by ",
                                                    Counted(CountAt(json, "bank_images"), "image"), " of the bank",
                                                    neighbours.empty() ? "" : "; ", neighbours));
  return absl::StrCat(head, "\n", TableText(rows), ClassTable(json, {{prefix, title}}),
                      Paragraph(LeftOut("judged images", PartAt(json, "left_out")) +
                                LeftOut("bank", PartAt(json, "bank_left_out")) + Notes(json)));
}

// "+12.3 (+8.1 to +16.2)"
std::string PointsText(const Json& comparison, const std::string& against, const std::string& measure) {
  for (const Json& row : PartAt(comparison, "differences")) {
    if (TextAt(row, "against") != against || TextAt(row, "measure") != measure) continue;
    return absl::StrFormat("%+.1f (%+.1f to %+.1f)", NumberAt(row, "points").value_or(0),
                           NumberAt(row, "low").value_or(0), NumberAt(row, "high").value_or(0));
  }
  return kNone;
}

std::string CompareText(const Json& json) {
  const Json &judged = PartAt(json, "judged"), &bank = PartAt(json, "bank");
  Rows rows = {{"FEATURES", "K-NN", "BALANCED", "PROBE", "BALANCED"}};
  Rows differences = {{"ENCODER AGAINST", "K-NN, POINTS", "PROBE, POINTS"}};
  const std::string start_kind = TextAt(PartAt(json, "start"), "kind");
  for (const Json& row : PartAt(json, "rows")) {
    const std::string name = TextAt(row, "name"), spoken = Spoken(name, start_kind);
    rows.push_back(
        {spoken, Share(row, "knn"), Share(row, "knn_balanced"), Share(row, "probe"), Share(row, "probe_balanced")});
    if (rows.size() > 2) {  // the first row is the encoder itself
      differences.push_back({OneLine(spoken, 24), PointsText(json, name, "knn"), PointsText(json, name, "probe")});
    }
  }
  const std::string head =
      WrappedText(absl::StrCat(Counted(CountAt(judged, "images"), "image"), " of ", CountAt(judged, "classes"),
                               CountAt(judged, "classes") == 1 ? " class" : " classes", " judged by ",
                               Counted(CountAt(bank, "images"), "image"), " of the bank; ", NeighboursText(json)));
  const std::string meaning = WrappedText(
      "In brackets: 95 % intervals, where the difference would be for other photos of this kind. They do not cover "
      "another seed of the training.");
  return absl::StrCat(head, "\n", TableText(rows), "\n", TableText(differences), meaning,
                      ClassTable(json, {{"knn", "K-NN"}, {"probe", "PROBE"}}),
                      Paragraph(LeftOut("judged images", judged) + LeftOut("bank", bank) + Notes(json)));
}

}  // namespace

absl::StatusOr<std::string> EvaluationText(const std::string& verb, absl::string_view json) {
  const Json result = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!result.is_object()) {
    return absl::DataLossError(absl::StrCat("worker ", verb, " printed no JSON object but: ", ToText(json, 200)));
  }
  if (verb == "compare") return CompareText(result);
  return verb == "knn" ? OneMeasureText(result, "knn", "K-NN") : OneMeasureText(result, "linear", "PROBE");
}

}  // namespace mimeo
