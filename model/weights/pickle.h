// Reads Python's pickle format (Lib/pickletools.py, protocols 2 to 5) as inert values. A pickle is a program; here
// nothing is imported and nothing is called, so a file from anywhere may be read. What a pickle would call becomes a
// value of kind kCall that says so. Pure functions.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// One value. Which fields are set depends on its kind.
struct PickleValue {
  enum class Kind { kNone, kBool, kInteger, kNumber, kText, kTuple, kList, kDict, kGlobal, kCall, kPersistent };
  Kind kind = Kind::kNone;
  int64_t integer = 0;  // kBool, kInteger
  double number = 0;    // kNumber
  std::string text;     // kText; "module.name" of kGlobal
  // Of a kDict: key, value, key, value, and so on. Of a kCall: what is called, and its arguments. Of a kPersistent: the
  // id.
  std::vector<const PickleValue*> items;
  const PickleValue* Find(absl::string_view key) const;  // in a kDict; nullptr: there is no such key
};

struct Pickle {
  // All values. They point at each other, in circles too, so one that walks them needs a bound.
  std::deque<PickleValue> values;
  const PickleValue* root = nullptr;
};

// An OrderedDict becomes a kDict. InvalidArgument: the pickle is cut off, it has an instruction that protocols 2 to 5
// lack or that state dicts never hold, or it has more than kPickleValues values or kPickleGlobalBytes bytes of names of
// what it would import. `bytes` need not outlive the result.
absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes);

constexpr size_t kPickleValues = 1'000'000;
constexpr size_t kPickleGlobalBytes = 1 << 20;

}  // namespace mimeo
