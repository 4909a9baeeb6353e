// What checks share: a list of problems, and how names and numbers are judged. Values; pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/text.h"
#include "proto/job.pb.h"

namespace mimeo {

// Collects problems; each check names a field once. A problem quotes what was given, which may be anything: it is made
// text here.
class ProblemList {
 public:
  template <typename... Parts>
  void Add(absl::string_view field, const Parts&... parts) {
    problems_.push_back(ToText(absl::StrCat(field, ": ", parts...), limits::kShortReasonBytes));
  }
  template <typename Number>
  bool InRange(absl::string_view field, Number value, Number least, Number most) {
    if (value >= least && value <= most) return true;  // not so for NaN
    Add(field, value, " is not between ", least, " and ", most);
    return false;
  }
  bool AtLeast(absl::string_view field, int64_t value, int64_t least) {
    if (value >= least) return true;
    Add(field, value, " is too small; at least ", least);
    return false;
  }
  std::vector<std::string> Take() { return std::move(problems_); }

 private:
  std::vector<std::string> problems_;
};

// [A-Za-z0-9_.-]{1,64}; with `lower_only` [a-z0-9_]{1,32}.
bool IsName(absl::string_view text, bool lower_only);

// "28, 32": the numbers that fit around `wanted`, where there are two: multiples of `unit`.
std::string NearestMultiples(int64_t wanted, int64_t unit);

// Width, depth and heads of a transformer, whose fields have these names under `path`.
struct TransformerFields {
  absl::string_view width, depth, heads;
};
void CheckTransformer(const std::string& path, const TransformerFields& names, int width, int depth, int heads,
                      ProblemList* problems);

void CheckViews(const JobSpec& spec, ProblemList* problems);       // views.*
void CheckEncoder(const JobSpec& spec, ProblemList* problems);     // encoder.*
void CheckMask(const JobSpec& spec, ProblemList* problems);        // mask.*
void CheckObjectives(const JobSpec& spec, ProblemList* problems);  // objective[*].*

}  // namespace mimeo
