// Lists the regular files of a folder and of the folders below it. It reads the file system and keeps nothing, so any
// thread may call it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"

namespace mimeo {

struct ListedFile {
  std::string name;  // path below the root
  int64_t size = 0;
  bool readable = true;  // false: its mode says that this user may not read it
};

// What one walk over a folder found. The lists are in the order of the file system, which means nothing.
struct FolderListing {
  std::vector<ListedFile> images;  // regular files, or links to such, chosen by their names (IsImageName)
  std::vector<std::string> tars;   // .tar files, or links to such, directly in the root: their names
  int64_t files = 0;               // regular files of all names
  // What is no sample although its name may look like one. The map's key says what it is, in the plural; the value has
  // their number and the first few names.
  struct PassedOver {
    int64_t count = 0;
    std::vector<std::string> names;
  };
  std::map<std::string, PassedOver> passed_over;

  // For a message: "2 links to folders (a, b), 1 pipes, sockets or devices (c)". Empty where nothing was passed over.
  std::string PassedOverText() const;
};

// Whether a file of this name is an image: .jpg, .jpeg, .png or .webp in any case. Hidden names are not, such as
// .DS_Store, or the ._x.jpg that macOS puts beside x.jpg.
bool IsImageName(const std::string& name);

// Walks the whole tree, and blocks until that is done. Links to files are followed, links to folders are not, so the
// walk ends. Pipes, sockets and devices are passed over without being opened, as is what this user may not look into
// and what vanishes meanwhile. `progress`, where it is not null, counts the entries and says how many images there are
// so far.
//
// NotFound, PermissionDenied: the root itself. Unavailable: an error of the disk or the mount, anywhere in the tree; a
// list that lacks a folder would be another data set, so none is given.
absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress);

}  // namespace mimeo
