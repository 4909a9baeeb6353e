#include "base/output.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/temporary_root.h"
#include "base/text.h"

namespace mimeo {
namespace {

// A few bytes a file system may keep beside the name, where a full disk would still take them.
constexpr size_t kTrialBytes = 4096;

absl::Status Refused(absl::string_view what, const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(what, " ", ToText(path), ": ", why));
}

// Writes a small file into the folder, and removes it.
absl::Status TryFolder(absl::string_view what, const std::string& path, const std::string& folder) {
  const std::string trial = JoinPath(folder, absl::StrCat(".mimeo_output_trial.", getpid()));
  const absl::Status tried = WriteFileAtomic(trial, std::string(kTrialBytes, '\0'));
  if (tried.ok()) return RemoveTree(trial);
  const absl::Status written = Renamed(tried, trial, absl::StrCat("a file in ", folder));
  const std::string message = absl::StrCat(what, " ", ToText(path), ": cannot be written: ", ToText(written.message()));
  return absl::IsResourceExhausted(written) ? absl::ResourceExhaustedError(message)
                                            : absl::InvalidArgumentError(message);
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::Status CheckOutputFile(absl::string_view what, const std::string& path) {
  if (IsDirectory(path)) return Refused(what, path, "is a folder; it should be the name of a file");
  const std::string parent = ParentOf(path);
  if (!FileExists(parent)) return Refused(what, path, absl::StrCat("there is no folder ", ToText(parent)));
  if (!IsDirectory(parent)) return Refused(what, path, absl::StrCat(ToText(parent), " is not a folder"));
  return TryFolder(what, path, parent);
}

absl::Status CheckOutputFolder(absl::string_view what, const std::string& path) {
  std::error_code error;
  std::filesystem::path nearest = std::filesystem::absolute(path, error).lexically_normal();
  while (!FileExists(nearest.string()) && nearest.has_relative_path()) nearest = nearest.parent_path();
  const std::string folder = nearest.string();
  if (!IsDirectory(folder)) return Refused(what, path, absl::StrCat(ToText(folder), " is not a folder"));
  return TryFolder(what, path, folder);
}

absl::Status CheckTemporaryFolder() {
  const std::string folder = TemporaryRoot();
  const std::string hint = "; TMPDIR should name a folder for temporary files";
  if (!IsDirectory(folder)) return Refused("TMPDIR", folder, absl::StrCat("there is no such folder", hint));
  const absl::Status tried = TryFolder("TMPDIR", folder, folder);
  return tried.ok() ? tried : absl::Status(tried.code(), absl::StrCat(tried.message(), hint));
}

absl::Status Renamed(const absl::Status& status, const std::string& path, absl::string_view name) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrReplaceAll(status.message(), {{path, name}}));
}

}  // namespace mimeo
