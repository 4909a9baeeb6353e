// SHA-256 by OpenSSL. These digests name the chunks of checkpoints, data sets and files of weights: two things with one
// digest are the same thing. Pure functions; thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// 32 raw bytes.
std::string Sha256(absl::string_view bytes);

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view bytes);

// The digest of bytes that arrive in pieces, such as a file that is too large for memory. How the bytes are divided
// into pieces makes no difference. Thread-compatible.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Update(absl::string_view bytes);
  // The digest as 32 raw bytes. Call it once, as the last call.
  std::string Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace mimeo
