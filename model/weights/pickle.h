// Python's pickle format (Lib/pickletools.py, protocols 2 to 5) as inert values: nothing is imported and nothing is
// called. What a pickle would call is a value of kind kCall that says so. Pure functions.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

struct PickleValue {
  enum class Kind { kNone, kBool, kInteger, kNumber, kText, kTuple, kList, kDict, kGlobal, kCall, kPersistent };
  Kind kind = Kind::kNone;
  int64_t integer = 0;  // kBool, kInteger
  double number = 0;    // kNumber
  std::string text;     // kText; "module.name" of kGlobal
  // kDict: key, value, key, value, ...; kCall: what is called, its arguments; kPersistent: the id
  std::vector<const PickleValue*> items;
  const PickleValue* Find(absl::string_view key) const;  // of a kDict; nullptr: no such key
};

struct Pickle {
  std::deque<PickleValue> values;  // all of them; they point at each other, in circles too
  const PickleValue* root = nullptr;
};

// An OrderedDict is a kDict. InvalidArgument: cut off, an instruction that protocols 2 to 5 lack or that state dicts
// never hold, or more than kPickleValues values.
absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes);

constexpr size_t kPickleValues = 1'000'000;

}  // namespace mimeo
