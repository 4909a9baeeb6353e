// The safetensors format, without libtorch: names, types and shapes of tensors, and where their bytes lie. A stream is
// the length of the header (8 bytes, little-endian), the header (JSON), and the bytes of all tensors, little-endian
// (github.com/huggingface/safetensors, README, "Format"). Checkpoints and files of weights are such streams.
// Thread-safe once opened.
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
  std::string dtype;           // in the format's words, such as "F32" or "BF16"
  std::vector<int64_t> shape;  // empty for a scalar
  absl::string_view bytes;     // in row-major order: product(shape) * DtypeBytes(dtype) of them
};

// How many bytes one element of this type takes, or 0 for a type that is not known here.
int64_t DtypeBytes(absl::string_view dtype);

// A parsed stream. It copies the header and points into the stream for the bytes of the tensors, so the stream must
// outlive it and all that came from it.
class SafetensorsView {
 public:
  // The stream may be any bytes. Like the reference implementation it accepts only tensors that follow each other
  // without a gap and fill the stream. DataLoss: it is cut short, it is no such stream, or a size contradicts a shape;
  // the error names the tensor and the numbers. What stands in its place, such as a web page, is named too
  // (base/foreign_file.h).
  static absl::StatusOr<SafetensorsView> Parse(absl::string_view stream);
  const std::map<std::string, TensorBytes>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, TensorBytes> tensors_;
  std::map<std::string, std::string> metadata_;
};

// A file of this format, mapped into memory (MappedFile in base/file.h), with its view.
class SafetensorsFile {
 public:
  // The errors are those of MappedFile::Open and SafetensorsView::Parse, and each names the file.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  const SafetensorsView& view() const { return view_; }
  absl::string_view bytes() const { return file_.bytes(); }

 private:
  SafetensorsFile(MappedFile file, SafetensorsView view) : file_(std::move(file)), view_(std::move(view)) {}
  MappedFile file_;
  SafetensorsView view_;
};

// The beginning of a stream that will hold `tensors`: the length and the header. The caller then writes the bytes of
// each tensor in the order of the map. Of `tensors` only type and shape are read, so a large stream never has to be in
// memory as a whole. The header is padded with spaces, so that the bytes of the first tensor begin at a multiple of 8.
std::string SafetensorsHeader(const std::map<std::string, TensorBytes>& tensors,
                              const std::map<std::string, std::string>& metadata);

// Whether readers will take that header. A program that works for hours for its tensors asks before it begins: it needs
// only their types and shapes. InvalidArgument: the header has more than limits::kSafetensorsHeaderBytes; the message
// has the numbers.
absl::Status CheckSafetensorsHeader(const std::map<std::string, TensorBytes>& tensors,
                                    const std::map<std::string, std::string>& metadata);

// The whole stream in one string: twice the memory of the tensors, for small streams.
std::string SerializeSafetensors(const std::map<std::string, TensorBytes>& tensors,
                                 const std::map<std::string, std::string>& metadata);

}  // namespace mimeo
