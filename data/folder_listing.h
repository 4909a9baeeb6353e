// Lists the images of a folder and of the folders below it, and what was passed over there, so that a person learns why
// an image is missing. Nothing is remembered between calls.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"

namespace mimeo {

struct ListedFile {
  std::string name;      // the path below the root; it may be any bytes
  int64_t size = 0;      // in bytes
  bool readable = true;  // false when the file's mode says that this user may not read it; it was not opened
};

struct FolderListing {
  // The regular files, and the links to such, whose names end like an image's. They are in no order.
  std::vector<ListedFile> images;
  // The names of those in the root itself, and not below it, that end in .tar.
  std::vector<std::string> tars;
  int64_t files = 0;  // regular files of any name
  // What is no sample although its name may look like one: how many there are, and the names of the first few. The key
  // says what they are, in the plural, such as "links to folders".
  struct PassedOver {
    int64_t count = 0;
    std::vector<std::string> names;
  };
  std::map<std::string, PassedOver> passed_over;

  // All of that in words: "2 links to folders (a, b), 1 pipes, sockets or devices (c)". Empty when nothing was passed
  // over.
  std::string PassedOverText() const;
};

// Whether a file of this name counts as an image: its name ends in .jpg, .jpeg, .png or .webp, in any case. A name that
// begins with a dot never counts: macOS puts a file ._x.jpg, which is none, beside x.jpg.
bool IsImageName(const std::string& name);

// Walks through `root` and all folders below it. Links to files are followed, links to folders are not. Pipes, sockets
// and devices are passed over without opening them, and so is what this user may not look into and what vanishes during
// the walk. It may take minutes on a file server: `progress`, if it is not null, counts the entries and says how many
// images there are so far.
//
// NotFound and PermissionDenied are about the root itself. Unavailable: the disk or the mount fails somewhere; then the
// listing would not be complete, and the caller tries again later.
absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress);

}  // namespace mimeo
