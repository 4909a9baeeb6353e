#include "data/tar_index.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errno_status.h"
#include "base/text.h"
#include "data/sample_name.h"

namespace mimeo {
namespace {

struct CloseArchive {
  void operator()(archive* tar) const { archive_read_free(tar); }
};
using OpenArchive = std::unique_ptr<archive, CloseArchive>;

std::string Named(const std::string& member) { return absl::StrCat("\"", ShortName(member), "\""); }

absl::Status Damaged(const std::string& path, const std::vector<TarMember>& members, absl::string_view what) {
  const std::string after =
      members.empty() ? "at its start" : absl::StrCat("after member ", Named(members.back().name));
  return absl::InvalidArgumentError(absl::StrCat(ShortName(path), ": not a readable tar: ", what, ", ", after));
}

// What libarchive says of its newest failure: it keeps the errno of a read that failed, and numbers of its own for
// damage.
absl::Status Failed(archive* tar, const std::string& path, const std::vector<TarMember>& members) {
  const absl::Status error = ErrnoStatus(archive_errno(tar), ShortName(path));
  if (absl::IsUnavailable(error)) return error;
  const char* const what = archive_error_string(tar);
  return Damaged(path, members, what == nullptr ? "damaged" : ToText(what));
}

absl::Status ReadContents(archive* tar, const std::string& path, TarMember* member) {
  member->contents.resize(member->size);
  if (archive_read_data(tar, member->contents.data(), member->size) != member->size) {
    const absl::Status error = ErrnoStatus(archive_errno(tar), ShortName(path));
    if (absl::IsUnavailable(error)) return error;
    return absl::InvalidArgumentError(
        absl::StrCat(ShortName(path), ": label member ", Named(member->name), " is truncated"));
  }
  return absl::OkStatus();
}

// What the entry is, in the plural, where it is no file that can be read in one piece. Null: it is.
const char* OtherThanFile(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return "hard links";
  if (archive_entry_filetype(entry) == AE_IFLNK) return "links in a tar";
  if (archive_entry_filetype(entry) != AE_IFREG) return "pipes, sockets or devices";
  return archive_entry_sparse_count(entry) == 0 ? nullptr : "sparse files";
}

}  // namespace

bool IsLabelName(absl::string_view member) {
  return absl::EndsWithIgnoreCase(member, ".cls") || absl::EndsWithIgnoreCase(member, ".json");
}

absl::StatusOr<std::vector<TarMember>> IndexTar(const SampleFile& file, PassedOverTally* passed_over,
                                                Progress* progress) {
  const std::string& path = file.path();
  std::vector<TarMember> members;
  OpenArchive tar(archive_read_new());
  archive_read_support_format_tar(tar.get());
  // An empty archive is only recognised as one with this; what has no members at all is then a tar without images.
  archive_read_support_format_empty(tar.get());
  if (lseek(file.fd(), 0, SEEK_SET) != 0 || archive_read_open_fd(tar.get(), file.fd(), 64 << 10) != ARCHIVE_OK) {
    return Failed(tar.get(), path, members);
  }
  for (archive_entry* entry = nullptr;;) {
    const int code = archive_read_next_header(tar.get(), &entry);
    if (code == ARCHIVE_EOF) return members;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Failed(tar.get(), path, members);
    if (progress != nullptr) progress->Move();
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    const char* const path_name = archive_entry_pathname(entry);
    const char* const name = path_name == nullptr ? "" : path_name;
    const char* const other = OtherThanFile(entry);
    if (path_name == nullptr || IsHiddenPath(name) || other != nullptr) {
      passed_over->Add(path_name == nullptr ? "members without a name"
                       : other == nullptr   ? "hidden files"
                                            : other,
                       name);
      continue;
    }
    // Uncompressed, and the header has been consumed: the next byte of the stream is the member's first.
    TarMember member{name, archive_filter_bytes(tar.get(), 0), archive_entry_size(entry), ""};
    if (member.size > file.size() - member.offset) {
      return Damaged(path, members, absl::StrCat("truncated inside ", Named(member.name)));
    }
    if (IsLabelName(member.name) && member.size <= kLabelBytes) {
      const absl::Status read = ReadContents(tar.get(), path, &member);
      if (!read.ok()) return read;
    }
    members.push_back(std::move(member));
  }
}

}  // namespace mimeo
