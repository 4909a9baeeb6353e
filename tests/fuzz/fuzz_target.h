// A fuzz target: a function that takes any bytes and ends the process when our code breaks its word about them. Each
// target is a file of this folder, and tests/fuzz/corpus/NAME holds its inputs.
//
// The same function runs in two ways. libfuzzer_entry.cc gives it the inputs that libFuzzer makes up, under the address
// and undefined-behaviour sanitizers (scripts/fuzz). corpus_test.cc gives it the files of its corpus, in every test
// run. One thread.
#pragma once

#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace mimeo::fuzz {

using TargetFunction = void (*)(absl::string_view bytes);
struct Target {
  absl::string_view name;
  TargetFunction run;
};
// Those that are linked into this binary: one under libFuzzer, all of them in the corpus test.
const std::vector<Target>& Targets();
bool AddTarget(absl::string_view name, TargetFunction run);

// Bytes that are refused are refused with one of these codes, and in a message that may be shown as it is: valid UTF-8
// without control characters but line breaks, of at most `bytes_max` bytes.
void CheckRefusal(const absl::Status& status, std::initializer_list<absl::StatusCode> codes, size_t bytes_max);

// Makes several messages of one input: each is two bytes of length, the low one first, and so many bytes; of the last
// one what is there.
std::vector<absl::string_view> Pieces(absl::string_view bytes);

}  // namespace mimeo::fuzz

// FUZZ_TARGET(name) { ... } is the body of a target, and `bytes` is its input.
#define FUZZ_TARGET(name)                                                                        \
  static void Run_##name(absl::string_view bytes);                                               \
  [[maybe_unused]] static const bool added_##name = ::mimeo::fuzz::AddTarget(#name, Run_##name); \
  static void Run_##name(absl::string_view bytes)
