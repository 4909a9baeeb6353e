// Lists the images and tars of a folder and of the folders below it. It reads the file system and keeps nothing, so any
// thread may call it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/progress.h"
#include "data/passed_over.h"

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
  int64_t files = 0;               // regular files of all names but hidden ones
  PassedOverTally passed_over;     // all else. Images that this user may not read are counted here too.
};

// What the names of images end in, in any case, for messages.
inline constexpr char kImageEndings[] = ".jpg, .jpeg, .jpe, .jfif, .png or .webp";

// Whether a file of this name is an image, by its ending. Hidden names (data/passed_over.h) are none.
bool IsImageName(absl::string_view name);

// Walks the whole tree, and blocks until that is done. Hidden files and folders are passed over, and nothing in such a
// folder is looked at. Links are followed, to files and to folders. Two links to one folder make it two folders of the
// data set, but on its own path a folder stands once only: a link to a folder that it lies in is passed over. So the
// walk ends, and what it finds does not depend on the order of the file system. Pipes, sockets and devices are passed
// over without being opened, as is what this user may not look into, what vanishes meanwhile, and what lies more than
// 100 folders deep. `progress`, where it is not null, counts the entries and says how many images there are so far.
//
// NotFound, PermissionDenied: the root itself. InvalidArgument: links lead to one folder on more than 1,000 paths,
// which is a maze and no data set. Unavailable: an error of the disk or the mount, anywhere in the tree; a list that
// lacks a folder would be another data set, so none is given.
absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress);

}  // namespace mimeo
