#include "client/verdict.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/json_fields.h"
#include "client/shell_word.h"

namespace mimeo {
namespace {

using Json = nlohmann::json;

// A measure as the comparison calls it, and as the sentences do.
constexpr std::pair<const char*, const char*> kMeasures[] = {{"knn", "k-NN"}, {"probe", "linear probe"}};

// The encoder's accuracy minus another row's, in percentage points, and its interval.
struct Difference {
  std::string measure;  // as the sentences call it
  double points = 0;
  double low = 0;
  double high = 0;
  int sign() const { return low > 0 ? 1 : high < 0 ? -1 : 0; }  // 0: the photos do not show any
  double half_width() const { return (high - low) / 2; }
};

const Json* RowOf(const Json& comparison, const std::string& name) {
  for (const Json& row : PartAt(comparison, "rows")) {
    if (TextAt(row, "name") == name) return &row;
  }
  return nullptr;
}

// One for each measure that the comparison has.
std::vector<Difference> DifferencesTo(const Json& comparison, const std::string& against) {
  std::vector<Difference> found;
  for (const auto& [measure, name] : kMeasures) {
    for (const Json& row : PartAt(comparison, "differences")) {
      const auto points = NumberAt(row, "points"), low = NumberAt(row, "low"), high = NumberAt(row, "high");
      if (TextAt(row, "against") != against || TextAt(row, "measure") != measure || !points || !low || !high) continue;
      found.push_back({name, *points, *low, *high});
    }
  }
  return found;
}

// The probe, where there is one: it uses all of the features, and its answer is the steadier one.
int SignOf(const std::vector<Difference>& differences) { return differences.empty() ? 0 : differences.back().sign(); }

std::string Plural(int64_t count, const char* one, const char* many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

// "12.3 points by k-NN (8.1 to 16.2)"; `turned` is said of how much worse it is.
std::string Points(const Difference& difference, bool turned) {
  const double sign = turned ? -1 : 1;
  double low = sign * difference.low, high = sign * difference.high;
  if (turned) std::swap(low, high);
  return absl::StrFormat("%.1f points by %s (%.1f to %.1f)", sign * difference.points, difference.measure, low, high);
}

std::string Joined(const std::vector<Difference>& differences, bool turned) {
  std::string text;
  for (const Difference& difference : differences) {
    absl::StrAppend(&text, text.empty() ? "" : ", and by ", Points(difference, turned));
  }
  return text;
}

// A number of points with its side in words, because nobody reads a minus sign in a sentence: "2.1 lower", "equal".
// `unit` stands behind the number.
std::string Sided(double points, const char* unit = "") {
  const std::string size = absl::StrFormat("%.1f", std::abs(points));
  if (size == "0.0") return "equal";
  return absl::StrCat(size, unit, points < 0 ? " lower" : " higher");
}

// "2.1 points lower by k-NN (9.5 lower to 5.3 higher)"
std::string Undecided(const Difference& difference) {
  return absl::StrCat(Sided(difference.points, " points"), " by ", difference.measure, " (", Sided(difference.low),
                      " to ", Sided(difference.high), ")");
}

std::string JoinedUndecided(const std::vector<Difference>& differences) {
  std::string text;
  for (const Difference& difference : differences) {
    absl::StrAppend(&text, text.empty() ? "" : ", and ", Undecided(difference));
  }
  return text;
}

// `what`: "the untrained encoder". Empty where there is no such difference.
std::string Against(const std::string& what, const std::vector<Difference>& differences) {
  if (differences.empty()) return "";
  const int sign = differences.front().sign();
  const bool agreed = std::all_of(differences.begin(), differences.end(),
                                  [sign](const Difference& difference) { return difference.sign() == sign; });
  if (agreed && sign > 0) return absl::StrCat("It is better than ", what, " by ", Joined(differences, false), ".");
  if (agreed && sign < 0) return absl::StrCat("It is worse than ", what, " by ", Joined(differences, true), ".");
  if (agreed) {
    return absl::StrCat("These photos show no difference between it and ", what, ": it is ",
                        JoinedUndecided(differences), ".");
  }
  std::string text = absl::StrCat("Compared with ", what);
  const char* separator = ": ";
  for (const Difference& difference : differences) {
    const int own = difference.sign();
    absl::StrAppend(&text, separator,
                    own > 0   ? absl::StrCat("better by ", Points(difference, false))
                    : own < 0 ? absl::StrCat("worse by ", Points(difference, true))
                              : absl::StrCat("no difference to be seen, it is ", Undecided(difference)));
    separator = "; ";
  }
  return text + ".";
}

bool StartedFromWeights(const Json& comparison) { return TextAt(PartAt(comparison, "start"), "kind") == "weights"; }

std::string StartName(const Json& comparison) {
  return StartedFromWeights(comparison) ? "the weights that it started from" : "the untrained encoder";
}

std::string WorthLine(const Json& comparison, const Json& encoder) {
  const Json& judged = PartAt(comparison, "judged");
  std::string text =
      absl::StrCat("Of ", Plural(CountAt(judged, "images"), "photo that was", "photos that were"), " judged, in ",
                   Plural(CountAt(judged, "classes"), "class", "classes"), ", the encoder finds the right class");
  const char* separator = " for ";
  for (const auto& [measure, name] : kMeasures) {
    const auto accuracy = NumberAt(encoder, measure);
    if (!accuracy) continue;
    absl::StrAppend(&text, separator, absl::StrFormat("%.1f %% by %s", 100 * *accuracy, name));
    separator = " and for ";
  }
  return text + ".";
}

// Two digits: it is an estimate.
int64_t RoundedUp(double count) {
  const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(std::max(count, 1.0))) - 1));
  return static_cast<int64_t>(std::ceil(count / unit) * unit);
}

// The width of an interval falls with the square root of the number of images.
std::string TooFewLine(const Json& comparison, const std::vector<Difference>& differences) {
  double widest = 0;
  for (const Difference& difference : differences) widest = std::max(widest, difference.half_width());
  const auto images = static_cast<double>(CountAt(PartAt(comparison, "judged"), "images"));
  const std::string meaning =
      "The numbers in brackets are 95 % intervals: where the difference would be for other photos of this kind.";
  if (widest <= kPointsWorthSeeing) return meaning;
  const double factor = widest / kPointsWorthSeeing;
  return absl::StrFormat("%s To see a difference of %.0f points, about %d photos would have to be judged.", meaning,
                         kPointsWorthSeeing, RoundedUp(images * factor * factor));
}

// What the training has made use of already, so that nobody is told to do it next.
struct Used {
  bool weights = false;  // it started from some
  bool teacher = false;
};

// "a, b, or c". REQUIRES: options is not empty.
std::string Choices(std::vector<std::string> options) {
  const std::string last = options.back();
  options.pop_back();
  return options.empty() ? last : absl::StrCat(absl::StrJoin(options, ", "), ", or ", last);
}

std::string NextLine(int start, int pixels, const Used& used) {
  if (start < 0 && used.weights) {
    return "The training did harm: use the weights that it started from. Next: more photos, fewer epochs or a smaller "
           "learning rate.";
  }
  if (start <= 0 && used.weights) {
    return "Use the weights that it started from, which are as good. Next: train longer (--minutes), or on more "
           "photos.";
  }
  std::vector<std::string> others;
  if (!used.weights) others.emplace_back("start from released weights (--from)");
  if (!used.teacher) others.emplace_back("let it mimic a large encoder (--distill)");
  if (pixels < 0 || (pixels == 0 && start <= 0)) {
    others.emplace_back("train longer (--minutes) and on more photos");
    return absl::StrCat("Do not use this encoder yet. Next: ", Choices(others), ".");
  }
  if (others.empty()) others.emplace_back("train on more photos");
  others.insert(others.begin(), "train longer (--minutes)");
  const char* const judged = start <= 0    ? "What was learned does not show yet."
                             : pixels == 0 ? "It has learned something, and small pictures are as good on these photos."
                                           : "It is worth using.";
  return absl::StrCat(judged, " Next: ", Choices(others), ".");
}

std::vector<std::string> WithoutLabels(const std::string& encoder) {
  return {
      "Nobody can tell what this encoder is worth, because these photos have no labels.",
      "To judge it, put some hundred photos into a folder for each class, such as judged/cat and judged/dog.",
      absl::StrCat("Then run: mimeo evaluate compare --weights ", ShellWord(encoder), " --data judged --hold_out 0.3")};
}

}  // namespace

std::vector<std::string> VerdictLines(const Json& comparison, const std::string& encoder_path) {
  const Json* const encoder = RowOf(comparison, "encoder");
  const Json& judged = PartAt(comparison, "judged");
  if (encoder == nullptr || CountAt(judged, "images") == 0) return WithoutLabels(encoder_path);
  if (CountAt(judged, "classes") < 2) {
    return {
        "Nobody can tell what this encoder is worth: all photos that were judged are of one class, so that every "
        "answer is right.",
        "To judge it, take photos of two classes or more, some hundred of them."};
  }
  const std::vector<Difference> start = DifferencesTo(comparison, "start");
  const std::vector<Difference> pixels = DifferencesTo(comparison, "raw_pixels");
  const std::vector<Difference> teacher = DifferencesTo(comparison, kTeacherRow);
  std::vector<std::string> lines = {
      WorthLine(comparison, *encoder),
      Against(StartName(comparison), start),
      Against("raw pixels (32 x 32)", pixels),
      Against("always saying the most frequent class", DifferencesTo(comparison, "majority")),
      Against("its teacher", teacher),
      TooFewLine(comparison, start.empty() ? pixels : start)};
  // Without a start there is nothing to hold against the training.
  const int of_start = start.empty() ? 1 : SignOf(start);
  lines.push_back(NextLine(of_start, SignOf(pixels), {StartedFromWeights(comparison), !teacher.empty()}));
  lines.erase(std::remove(lines.begin(), lines.end(), ""), lines.end());
  return lines;
}

}  // namespace mimeo
