#include "client/auto/judges.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "client/number_text.h"

namespace mimeo {
namespace {

constexpr size_t kClassesNamed = 5;  // of more, how many there are
constexpr double kShareMost = 0.5;   // that a job takes

// "3 classes (cat, dog, fox)"
std::string ClassesText(const Survey& survey) {
  std::string names;
  for (size_t i = 0; i < survey.classes.size() && i < kClassesNamed; ++i) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", ToText(survey.classes[i].name));
  }
  const int64_t count = static_cast<int64_t>(survey.classes.size());
  return absl::StrCat(count, count == 1 ? " class (" : " classes (", names,
                      survey.classes.size() > kClassesNamed ? ", ..." : "", ")");
}

}  // namespace

absl::Status CheckClassesMeet(const Survey& photos, const Survey& judges) {
  if (photos.classes.empty() || judges.classes.empty()) return absl::OkStatus();
  std::set<std::string> names;
  for (const NamedCount& of_class : photos.classes) names.insert(of_class.name);
  for (const NamedCount& of_class : judges.classes) {
    if (names.count(of_class.name) > 0) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--evaluate ", ToText(judges.path), ": none of its ", ClassesText(judges), " is among the ",
                   ClassesText(photos), " of --data ", ToText(photos.path),
                   ", so that every answer would be wrong; both need the same names of class folders"));
}

absl::Status CheckDivision(const Survey& photos, double share) {
  const std::string all = absl::StrCat(Grouped(photos.images), " photos in ", ToText(photos.path));
  const std::string others = "judge by other photos: --evaluate FOLDER";
  if (photos.held_out_images == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--hold_out ", share, " holds out none of the ", all, ": which ones is decided by their bytes alone; ",
        photos.least_share > 0 && photos.least_share <= kShareMost
            ? absl::StrCat("--hold_out ", photos.least_share, " holds out one at least, or ", others)
            : others));
  }
  if (photos.held_out_images >= photos.images) {
    return absl::InvalidArgumentError(absl::StrCat("--hold_out ", share, " holds out all of the ", all,
                                                   ", and none is left to train on: photos of the same bytes stay "
                                                   "together; ",
                                                   others));
  }
  const bool one_each = photos.classes.size() > 1 && photos.classes.front().count == 1;
  if (one_each && photos.labelled == photos.images) {
    return absl::InvalidArgumentError(
        absl::StrCat("each of the ", ClassesText(photos), " in ", ToText(photos.path),
                     " has one photo, so that none is left to compare a held-out one with; put two photos or more into "
                     "each folder, or all of them into one folder to train without classes"));
  }
  return absl::OkStatus();
}

}  // namespace mimeo
