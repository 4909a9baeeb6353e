// The regular files of a folder and the folders below it. Pure but for the folder it reads.
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

struct FolderListing {
  std::vector<ListedFile> images;  // regular files, or links to such, by their names' endings; in no order
  std::vector<std::string> tars;   // likewise, of the root alone: paths below it
  int64_t files = 0;               // regular files of all names
  // What is no sample though its name may look like one: what it is, in the plural, with how many and the first few
  // names.
  struct PassedOver {
    int64_t count = 0;
    std::vector<std::string> names;
  };
  std::map<std::string, PassedOver> passed_over;

  // "2 links to folders (a, b), 1 pipes, sockets or devices (c)"; empty: nothing was.
  std::string PassedOverText() const;
};

// Whether a file of this name is an image: .jpg, .jpeg, .png or .webp in any case. Names that hide (.DS_Store, the
// ._x.jpg that macOS puts beside x.jpg) are not.
bool IsImageName(const std::string& name);

// Links to files are followed, links to folders are not. Pipes, sockets and devices are passed over unopened, as is
// what this user may not look into, and what vanishes meanwhile. NotFound, PermissionDenied: of the root. Unavailable:
// an error of the disk or the mount, anywhere. `progress`, where not null, counts the entries and says how many images
// there are so far.
absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress);

}  // namespace mimeo
