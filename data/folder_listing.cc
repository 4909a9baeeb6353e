#include "data/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "data/sample_name.h"

namespace mimeo {
namespace {

constexpr size_t kNamed = 3;  // of each kind that is passed over
constexpr int64_t kImagesPerWord = 1000;

constexpr char kNothing[] = "links to nothing or files that vanished";
constexpr char kLinkedFolder[] = "links to folders";
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
    RETURN_IF_ERROR(Read("", root.get()));
    while (!folders_.empty()) {
      const std::string folder = std::move(folders_.back());
      folders_.pop_back();
      const absl::StatusOr<OpenDir> opened = OpenFolder(absl::StrCat(root_, "/", folder));
      if (opened.ok()) {
        RETURN_IF_ERROR(Read(folder, opened->get()));
      } else {
        RETURN_IF_ERROR(PassOver(folder, opened.status()));
      }
    }
    return std::move(listing_);
  }

 private:
  absl::Status Read(const std::string& folder, DIR* dir) {
    for (;;) {
      errno = 0;
      const dirent* const entry = readdir(dir);
      if (entry == nullptr && errno != 0) return ErrnoStatus(errno, ShortName(absl::StrCat(root_, "/", folder)));
      if (entry == nullptr) return absl::OkStatus();
      const std::string base = entry->d_name;
      if (base == "." || base == "..") continue;
      if (progress_ != nullptr) progress_->Move();
      RETURN_IF_ERROR(Add(folder.empty() ? base : absl::StrCat(folder, "/", base), entry->d_type));
    }
  }

  absl::Status Add(const std::string& name, unsigned char type) {
    const std::string path = absl::StrCat(root_, "/", name);
    struct stat found;
    if (type == DT_UNKNOWN) {  // this file system tells no types
      if (lstat(path.c_str(), &found) != 0) return PassOver(name, ErrnoStatus(errno, ShortName(path)));
      type = IFTODT(found.st_mode);
    }
    if (type == DT_DIR) {
      folders_.push_back(name);
      return absl::OkStatus();
    }
    if (type != DT_REG && type != DT_LNK) return Note(kSpecial, name);
    const bool image = IsImageName(name);
    if (type == DT_REG && !image) return Count(name);  // of such nothing more is asked
    if (stat(path.c_str(), &found) != 0) return PassOver(name, ErrnoStatus(errno, ShortName(path)));
    if (S_ISDIR(found.st_mode)) return Note(kLinkedFolder, name);
    if (!S_ISREG(found.st_mode)) return Note(kSpecial, name);
    if (image) AddImage({name, static_cast<int64_t>(found.st_size), reader_.MayRead(found)});
    return Count(name);
  }

  absl::Status Count(const std::string& name) {
    ++listing_.files;
    if (absl::EndsWith(name, ".tar") && name != ".tar" && !absl::StrContains(name, '/')) listing_.tars.push_back(name);
    return absl::OkStatus();
  }

  void AddImage(ListedFile image) {
    listing_.images.push_back(std::move(image));
    const size_t images = listing_.images.size();
    if (progress_ != nullptr && images % kImagesPerWord == 0) {
      progress_->Do(absl::StrCat("lists images (", images, " so far)"));
    }
  }

  absl::Status Note(const char* what, const std::string& name) {
    FolderListing::PassedOver& kind = listing_.passed_over[what];
    if (++kind.count <= static_cast<int64_t>(kNamed)) kind.names.push_back(name);
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
  std::vector<std::string> folders_;  // still to be read, paths below the root
  FolderListing listing_;
};

}  // namespace

bool IsImageName(const std::string& name) {
  const std::string base = absl::AsciiStrToLower(name.substr(name.rfind('/') + 1));
  if (absl::StartsWith(base, ".")) return false;
  return absl::EndsWith(base, ".jpg") || absl::EndsWith(base, ".jpeg") || absl::EndsWith(base, ".png") ||
         absl::EndsWith(base, ".webp");
}

std::string FolderListing::PassedOverText() const {
  std::vector<std::string> kinds;
  for (const auto& [what, kind] : passed_over) {
    const std::string names = absl::StrJoin(
        kind.names, ", ", [](std::string* out, const std::string& name) { absl::StrAppend(out, ShortName(name)); });
    const bool more = kind.count > static_cast<int64_t>(kind.names.size());
    kinds.push_back(absl::StrCat(kind.count, " ", what, " (", names, more ? ", ..." : "", ")"));
  }
  return absl::StrJoin(kinds, ", ");
}

absl::StatusOr<FolderListing> ListFolder(const std::string& root, Progress* progress) {
  return Walk(root, progress).Go();
}

}  // namespace mimeo
