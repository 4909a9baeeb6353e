// A set of encoded images: a flat folder, a tree of class folders, one .tar, or a folder of .tar shards (WebDataset).
// Its samples are the byte-sorted list of members, whatever the file system's order. Thread-safe once opened.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimeo {

class Dataset {
 public:
  // InvalidArgument: no such path, no images in it, an unreadable tar (each says what was found). A member's name is
  // only text: nothing is ever written.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& path);
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  virtual const std::string& name(int64_t sample) const = 0;   // path below the root, or shard:member
  // The encoded bytes. DataLoss: truncated, over limits::kImageFileBytes, gone.
  virtual absl::StatusOr<std::string> Read(int64_t sample) const = 0;
  // Index into class_names(), or -1. From the class folder, or a .cls / .json ("label" or "cls") member of the same key.
  virtual int label(int64_t sample) const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  // Hexadecimal SHA-256 of the sorted names and sizes: two equal digests are the same data.
  virtual const std::string& digest() const = 0;
};

}  // namespace mimeo
