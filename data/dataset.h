// A set of encoded images: a flat folder, a tree of class folders, one .tar, or a folder of .tar shards (WebDataset).
// Its samples are the byte-sorted list of members, whatever the file system's order. Thread-safe once opened.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/progress.h"

namespace mimeo {

class Dataset {
 public:
  // Only regular files are samples (folder_listing.h); nothing else is opened. Errors say what was found:
  // NotFound: nothing is there: no such path, a link to nothing, or no images in it (the folder below which nothing is
  // mounted). PermissionDenied: this user may not look into it. Unavailable: the disk, the mount or this host fails
  // now. InvalidArgument: what is there is of the wrong kind: another file, a pipe or device, shards and images mixed,
  // a damaged tar. A member's name is only text: nothing is ever written. `progress`, where not null, counts what is
  // listed.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& path, Progress* progress = nullptr);
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  // Path below the root, or shard:member. Bytes, not text: a message takes ShortName of it (sample_name.h).
  virtual const std::string& name(int64_t sample) const = 0;
  // The encoded bytes, those that were listed. Unavailable: they are not there now: the file is gone, is of another
  // size, or cannot be read; asked again, it may be there again. DataLoss: they are no sample: over
  // limits::kImageFileBytes, or not readable by this user since before they were listed.
  virtual absl::StatusOr<std::string> Read(int64_t sample) const = 0;
  // Index into class_names(), or -1. From the class folder, or a .cls / .json ("label" or "cls") member of the same
  // key.
  virtual int label(int64_t sample) const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  // Hexadecimal SHA-256 of the sorted names and sizes: two equal digests are the same data.
  virtual const std::string& digest() const = 0;
};

}  // namespace mimeo
