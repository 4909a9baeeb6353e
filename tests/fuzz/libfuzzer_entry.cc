// What libFuzzer calls: once at its start, and with each input that it makes up.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_target.h"

// Most inputs that hold a proto hold a bad one, and protobuf would log a line for each of them.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mimeo::fuzz::Targets().front().run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
