#include "data/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "data/sample_name.h"

namespace mimeo {
namespace {

constexpr int64_t kImagesPerWord = 1000;
constexpr int kDepth = 100;       // folders on one path
constexpr int kPathsMost = 1000;  // to one folder

constexpr char kHiddenFiles[] = "hidden files";
constexpr char kHiddenFolders[] = "hidden folders";
constexpr char kNothing[] = "links to nothing or files that vanished";
constexpr char kLoop[] = "links to folders that they lie in";
constexpr char kTooDeep[] = "folders more than 100 folders deep";
constexpr char kLocked[] = "images that this user may not read, bad samples as long as that is so";
constexpr char kForbidden[] = "files and folders that this user may not look into";
constexpr char kSpecial[] = "pipes, sockets or devices";
constexpr char kTooLong[] = "paths that are too long";

// This process as file modes see it.
class Reader {
 public:
  Reader() : user_(geteuid()), group_(getegid()) {
    std::vector<gid_t> groups(std::max(0, getgroups(0, nullptr)));
    const int count = getgroups(static_cast<int>(groups.size()), groups.data());
    groups_.insert(groups.begin(), groups.begin() + std::max(0, count));
  }
  bool MayRead(const struct stat& file) const {
    if (user_ == 0) return true;
    if (file.st_uid == user_) return (file.st_mode & S_IRUSR) != 0;
    const bool in_group = file.st_gid == group_ || groups_.count(file.st_gid) > 0;
    return (file.st_mode & (in_group ? S_IRGRP : S_IROTH)) != 0;
  }

 private:
  const uid_t user_;
  const gid_t group_;
  std::set<gid_t> groups_;
};

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};
using OpenDir = std::unique_ptr<DIR, CloseDir>;

absl::StatusOr<OpenDir> OpenFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  DIR* const dir = fd < 0 ? nullptr : fdopendir(fd);
  if (dir != nullptr) return OpenDir(dir);
  const int error = errno;
  if (fd >= 0) close(fd);
  return ErrnoStatus(error, ShortName(path));
}

class Walk {
 public:
  Walk(const std::string& root, Progress* progress) : root_(root), progress_(progress) {}

  absl::StatusOr<FolderListing> Go() {
    ASSIGN_OR_RETURN(const OpenDir root, OpenFolder(root_));
    RETURN_IF_ERROR(Read({"", -1}, root.get()));
    while (!folders_.empty()) {
      const Folder folder = std::move(folders_.back());
      folders_.pop_back();
      const absl::StatusOr<OpenDir> opened = OpenFolder(absl::StrCat(root_, "/", folder.name));
      if (opened.ok()) {
        RETURN_IF_ERROR(Read(folder, opened->get()));
      } else {
        RETURN_IF_ERROR(PassOver(folder.name, opened.status()));
      }
    }
    return std::move(listing_);
  }

 private:
  using Inode = std::pair<dev_t, ino_t>;  // a folder, by whatever path
  struct Folder {
    std::string name;  // path below the root
    int parent = 0;    // index into places_
  };
  struct Place {  // a folder that was read
    Inode inode;
    int parent = -1;
    int depth = 0;
  };

  // Puts the folder among places_. False: it is passed over.
  absl::StatusOr<bool> Enter(const Folder& folder, DIR* dir) {
    struct stat found;
    if (fstat(dirfd(dir), &found) != 0) return ErrnoStatus(errno, ShortName(absl::StrCat(root_, "/", folder.name)));
    Place place = {{found.st_dev, found.st_ino}, folder.parent, 0};
    for (int above = folder.parent; above >= 0; above = places_[above].parent) {
      ++place.depth;
      if (places_[above].inode != place.inode) continue;
      listing_.passed_over.Add(kLoop, folder.name);
      return false;
    }
    if (place.depth > kDepth) {
      listing_.passed_over.Add(kTooDeep, folder.name);
      return false;
    }
    if (++paths_[place.inode] > kPathsMost) {
      return absl::InvalidArgumentError(absl::StrCat(ShortName(root_), ": links lead to one folder on more than ",
                                                     kPathsMost, " paths, one of them ", ShortName(folder.name),
                                                     "; give a folder whose links do not lead into each other"));
    }
    places_.push_back(place);
    return true;
  }

  absl::Status Read(const Folder& folder, DIR* dir) {
    ASSIGN_OR_RETURN(const bool entered, Enter(folder, dir));
    if (!entered) return absl::OkStatus();
    const int place = static_cast<int>(places_.size()) - 1;
    for (;;) {
      errno = 0;
      const dirent* const entry = readdir(dir);
      if (entry == nullptr && errno != 0) return ErrnoStatus(errno, ShortName(absl::StrCat(root_, "/", folder.name)));
      if (entry == nullptr) return absl::OkStatus();
      const std::string base = entry->d_name;
      if (base == "." || base == "..") continue;
      if (progress_ != nullptr) progress_->Move();
      RETURN_IF_ERROR(
          Add({folder.name.empty() ? base : absl::StrCat(folder.name, "/", base), place}, base, entry->d_type));
    }
  }

  // `entry` is a folder or anything else, whose own name is `base`.
  absl::Status Add(Folder entry, const std::string& base, unsigned char type) {
    const std::string& name = entry.name;
    const std::string path = absl::StrCat(root_, "/", name);
    struct stat found;
    if (type == DT_UNKNOWN) {  // this file system tells no types
      if (lstat(path.c_str(), &found) != 0) return PassOver(name, ErrnoStatus(errno, ShortName(path)));
      type = IFTODT(found.st_mode);
    }
    if (IsHiddenName(base)) return Note(type == DT_DIR ? kHiddenFolders : kHiddenFiles, name);
    if (type == DT_DIR) {
      folders_.push_back(std::move(entry));
      return absl::OkStatus();
    }
    if (type != DT_REG && type != DT_LNK) return Note(kSpecial, name);
    const bool image = IsImageName(base);
    if (type == DT_REG && !image) return Count(name);  // of such nothing more is asked
    if (stat(path.c_str(), &found) != 0) return PassOver(name, ErrnoStatus(errno, ShortName(path)));
    if (S_ISDIR(found.st_mode)) {
      folders_.push_back(std::move(entry));
      return absl::OkStatus();
    }
    if (!S_ISREG(found.st_mode)) return Note(kSpecial, name);
    if (!image) return Count(name);
    ++listing_.files;
    AddImage({name, static_cast<int64_t>(found.st_size), reader_.MayRead(found)});
    return absl::OkStatus();
  }

  // A file that is no image.
  absl::Status Count(const std::string& name) {
    ++listing_.files;
    if (absl::EndsWith(name, ".tar") && !absl::StrContains(name, '/')) {
      listing_.tars.push_back(name);
    } else {
      listing_.passed_over.AddOtherKind(name);
    }
    return absl::OkStatus();
  }

  void AddImage(ListedFile image) {
    if (!image.readable) listing_.passed_over.Add(kLocked, image.name);
    listing_.images.push_back(std::move(image));
    const size_t images = listing_.images.size();
    if (progress_ != nullptr && images % kImagesPerWord == 0) {
      progress_->Do(absl::StrCat("lists images (", images, " so far)"));
    }
  }

  absl::Status Note(const char* what, const std::string& name) {
    listing_.passed_over.Add(what, name);
    return absl::OkStatus();
  }

  // Of what is in the folder, an error of its own passes it over; an error of the disk or the mount is one of the
  // listing.
  absl::Status PassOver(const std::string& name, const absl::Status& error) {
    switch (error.code()) {
      case absl::StatusCode::kNotFound:
        return Note(kNothing, name);
      case absl::StatusCode::kPermissionDenied:
        return Note(kForbidden, name);
      case absl::StatusCode::kInvalidArgument:
        return Note(kTooLong, name);
      default:
        return error;
    }
  }

  const std::string root_;
  Progress* const progress_;
  const Reader reader_;
  std::vector<Folder> folders_;  // still to be read
  std::vector<Place> places_;
  std::map<Inode, int> paths_;  // of those in places_: on how many paths
  FolderListing listing_;
};

}  // namespace

bool IsImageName(absl::string_view name) {
  const absl::string_view base = name.substr(name.rfind('/') + 1);
  if (IsHiddenName(base)) return false;
  for (const char* ending : {".jpg", ".jpeg", ".png", ".webp", ".jfif", ".jpe"}) {
    if (absl::EndsWithIgnoreCase(base, ending)) return true;
  }
  return false;
}

absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress) {
  return Walk(root, progress).Go();
}

}  // namespace mimeo
