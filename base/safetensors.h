// The safetensors format (huggingface/safetensors: 8-byte little-endian header length, JSON header, raw little-endian
// bytes), without torch: names, types, shapes and where the bytes lie. Thread-safe once opened.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"

namespace mimeo {

struct TensorBytes {
  std::string dtype;  // "F32", "F64", "F16", "BF16", "I64", "I32", "U8", "BOOL"
  std::vector<int64_t> shape;
  absl::string_view bytes;  // product(shape) * size of dtype
};

// 0 for a type that is not known.
int64_t DtypeBytes(absl::string_view dtype);

// A parsed stream. Does not own the bytes it points to.
class SafetensorsView {
 public:
  // DataLoss: truncated, overlapping, or sizes that contradict shapes; names the tensor and the numbers.
  static absl::StatusOr<SafetensorsView> Parse(absl::string_view stream);
  const std::map<std::string, TensorBytes>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, TensorBytes> tensors_;
  std::map<std::string, std::string> metadata_;
};

// A mapped file and its view.
class SafetensorsFile {
 public:
  // NotFound, DataLoss (names the file).
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  const SafetensorsView& view() const { return view_; }
  absl::string_view bytes() const { return file_.bytes(); }

 private:
  SafetensorsFile(MappedFile file, SafetensorsView view) : file_(std::move(file)), view_(std::move(view)) {}
  MappedFile file_;
  SafetensorsView view_;
};

// The header of a stream that will hold `tensors` in the map's order, padded so that data starts 8-byte aligned; the
// caller then writes each tensor's bytes in that order. Only dtype and shape are read.
std::string SafetensorsHeader(const std::map<std::string, TensorBytes>& tensors,
                              const std::map<std::string, std::string>& metadata);

// Header and bytes in one string.
std::string SerializeSafetensors(const std::map<std::string, TensorBytes>& tensors,
                                 const std::map<std::string, std::string>& metadata);

}  // namespace mimeo
