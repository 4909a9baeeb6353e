// SHA-256 (OpenSSL) of bytes: names checkpoint chunks, data sets and weights files. Value functions; pure.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// 32 raw bytes.
std::string Sha256(absl::string_view bytes);

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view bytes);

// The digest of bytes that arrive in pieces. Thread-compatible.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Update(absl::string_view bytes);
  std::string Finish();  // 32 raw bytes; call once

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace mimeo
