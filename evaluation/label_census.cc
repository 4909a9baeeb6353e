#include "evaluation/label_census.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "data/spread_sample.h"

namespace mimeo {
namespace {

constexpr size_t kNamed = 5;

// "a, b, c", "a, b, c, d, e and 7 more"
std::string Listed(std::vector<std::string> names) {
  const size_t more = names.size() > kNamed ? names.size() - kNamed : 0;
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "), more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

using Classes = std::map<std::string, int64_t>;  // images by the name of their class

Classes ClassesAmong(const Dataset& dataset, const std::vector<int64_t>& samples) {
  Classes classes;
  for (const int64_t sample : LabelledAmong(dataset, samples)) ++classes[dataset.class_names()[dataset.label(sample)]];
  return classes;
}

// Of the images that are measured.
Classes ClassesOf(const MeasuredSet& set) { return ClassesAmong(*set.dataset, set.samples); }

std::string Named(const Classes& classes) {
  std::vector<std::string> names;
  for (const auto& [name, count] : classes) names.push_back(ToText(name));
  return Listed(std::move(names));
}

std::string Counted(const MeasuredSet& set) {
  const Dataset& dataset = *set.dataset;
  std::vector<std::string> unlabelled;
  for (const int64_t sample : AllSamples(dataset)) {
    if (dataset.label(sample) < 0) unlabelled.push_back(ToText(dataset.name(sample)));
  }
  const size_t labelled = static_cast<size_t>(dataset.size()) - unlabelled.size();
  if (labelled == 0) {
    return absl::StrCat(set.name, ": none of its ", dataset.size(),
                        " images has a label, so that no accuracy is measured; labels are class folders, or .cls or "
                        ".json members of a tar");
  }
  return absl::StrCat(
      set.name, ": ", labelled, " of ", dataset.size(), " images have a label; ",
      LabelledAmong(dataset, set.samples).size(), " of them are measured, in ", ClassesOf(set).size(), " classes",
      unlabelled.empty() ? "" : absl::StrCat("; left out for want of a label: ", Listed(std::move(unlabelled))));
}

// The classes that only one of the sets has.
std::vector<std::string> Mismatches(const MeasuredSet& bank, const MeasuredSet& queries) {
  std::vector<std::string> lines;
  const Classes voting = ClassesOf(bank), asked = ClassesOf(queries);
  if (voting.empty() || asked.empty()) return lines;
  std::vector<std::string> unknown, idle;
  int64_t images = 0, wrong = 0;
  for (const auto& [name, count] : asked) {
    images += count;
    if (voting.count(name) > 0) continue;
    wrong += count;
    unknown.push_back(absl::StrCat(ToText(name), " (", count, ")"));
  }
  for (const auto& [name, count] : voting) {
    if (asked.count(name) == 0) idle.push_back(absl::StrCat(ToText(name), " (", count, ")"));
  }
  if (!unknown.empty()) {
    const size_t classes = unknown.size();
    lines.push_back(absl::StrFormat(
        "%s: %d images of %d classes that %s does not have: %s: k-NN can never be right on them, so that no accuracy "
        "can be above %.3f",
        queries.name, wrong, classes, bank.name, Listed(std::move(unknown)),
        static_cast<double>(images - wrong) / static_cast<double>(images)));
  }
  if (!idle.empty()) {
    lines.push_back(absl::StrCat(bank.name, ": classes that ", queries.name,
                                 " lacks, so that each vote for them is wrong: ", Listed(std::move(idle))));
  }
  return lines;
}

}  // namespace

std::vector<std::string> DescribeLabels(const MeasuredSet& bank, const MeasuredSet& queries) {
  std::vector<std::string> lines = Mismatches(bank, queries);
  lines.insert(lines.begin(), {Counted(bank), Counted(queries)});
  return lines;
}

std::vector<std::string> LabelNotes(const MeasuredSet& bank, const MeasuredSet& queries) {
  std::vector<std::string> lines = Mismatches(bank, queries);
  for (const MeasuredSet* set : {&queries, &bank}) {
    const int64_t labelled = static_cast<int64_t>(LabelledAmong(*set->dataset, AllSamples(*set->dataset)).size());
    if (labelled < set->dataset->size()) lines.insert(lines.begin(), Counted(*set));
  }
  return lines;
}

absl::Status CheckClassesMeet(const MeasuredSet& bank, const MeasuredSet& queries) {
  const Classes voting = ClassesAmong(*bank.dataset, AllSamples(*bank.dataset));
  const Classes asked = ClassesAmong(*queries.dataset, AllSamples(*queries.dataset));
  if (voting.empty() || asked.empty()) return absl::OkStatus();
  for (const auto& [name, count] : asked) {
    if (voting.count(name) > 0) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(queries.name, ": none of its ", asked.size(), " classes (", Named(asked), ") is among the ",
                   voting.size(), " classes of ", bank.name, " (", Named(voting),
                   "), so that every answer would be wrong; both sets need the same names of class folders or labels"));
}

}  // namespace mimeo
