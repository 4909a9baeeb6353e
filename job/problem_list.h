// What the checks of a job share (job/checks.h): a list of problems, and how names and numbers are judged. A person
// gets every problem of a recipe at once, so a check adds to the list and goes on. Values; pure.
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

// Collects problems. Each has the path of a field, what is wrong, and what would be right. A problem quotes what was
// given, which may be any bytes, so it is made text here, of at most limits::kShortReasonBytes.
class ProblemList {
 public:
  // Adds "FIELD: PARTS..."; the parts are what absl::StrCat takes.
  template <typename... Parts>
  void Add(absl::string_view field, const Parts&... parts) {
    problems_.push_back(ToText(absl::StrCat(field, ": ", parts...), limits::kShortReasonBytes));
  }
  // These two add a problem unless the value is legal, and return whether it is: a caller that computes with the value
  // returns when it is not. NaN is in no range.
  template <typename Number>
  bool InRange(absl::string_view field, Number value, Number least, Number most) {
    if (value >= least && value <= most) return true;
    Add(field, value, " is not between ", least, " and ", most);
    return false;
  }
  bool AtLeast(absl::string_view field, int64_t value, int64_t least) {
    if (value >= least) return true;
    Add(field, value, " is too small; at least ", least);
    return false;
  }
  // The problems in the order in which they were added. The list is of no use afterwards.
  std::vector<std::string> Take() { return std::move(problems_); }

 private:
  std::vector<std::string> problems_;
};

// Whether a text is a legal name: [A-Za-z0-9_.-]{1,64}, or with `lower_only` [a-z0-9_]{1,32}.
bool IsName(absl::string_view text, bool lower_only);

// The multiples of `unit` just below and above `wanted`, such as "28, 32", for a message. Only the upper one where the
// lower would be 0.
std::string NearestMultiples(int64_t wanted, int64_t unit);

// What the three fields of a transformer are called in its message.
struct TransformerFields {
  absl::string_view width, depth, heads;
};
// Adds what is wrong with the width, depth and heads of the transformer whose fields have these names under `path`.
void CheckTransformer(const std::string& path, const TransformerFields& names, int width, int depth, int heads,
                      ProblemList* problems);

// Each of these adds what is wrong with the fields that stand beside it. REQUIRES: FillDefaults was called.
void CheckViews(const JobSpec& spec, ProblemList* problems);       // views.*
void CheckEncoder(const JobSpec& spec, ProblemList* problems);     // encoder.*
void CheckMask(const JobSpec& spec, ProblemList* problems);        // mask.*
void CheckObjectives(const JobSpec& spec, ProblemList* problems);  // objective[*].*

}  // namespace mimeo
