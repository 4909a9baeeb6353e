#include "base/find_binary.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"

namespace mimeo {
namespace {

constexpr int kPackageDepth = 2;  // ROOT/client/mimeo, ROOT/worker/cuda/libmimeo_cuda.so

std::string EnvironmentValue(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length <= 0 ? "" : std::string(path, length);
}

bool IsBinary(const std::string& path) { return access(path.c_str(), X_OK) == 0 && !IsDirectory(path); }

// Folders that hold a folder per package, each with that package's binaries.
std::vector<std::string> PackageRoots(const std::string& executable) {
  std::vector<std::string> roots;
  for (const char* const variable : {"RUNFILES_DIR", "TEST_SRCDIR"}) {
    if (const std::string dir = EnvironmentValue(variable); !dir.empty()) roots.push_back(JoinPath(dir, "mimeo"));
  }
  roots.push_back(executable + ".runfiles/mimeo");
  // Only a path that says so is in a build tree: elsewhere the folders next to an executable are somebody else's.
  const size_t out = executable.find("/bazel-out/");
  const size_t bin = out == std::string::npos ? out : executable.find("/bin/", out);
  if (bin != std::string::npos) roots.push_back(executable.substr(0, bin + 4));
  return roots;
}

// `name` in one of the folders below `dir`, the nearest first; empty when it is in none.
std::string FindBelow(const std::string& dir, const std::string& name, int depth) {
  if (depth == 0) return "";
  std::vector<std::string> packages;
  std::error_code ended;
  for (std::filesystem::directory_iterator it(dir, ended), end; !ended && it != end; it.increment(ended)) {
    if (IsDirectory(it->path()) && it->path().extension() != ".runfiles") packages.push_back(it->path());
  }
  std::sort(packages.begin(), packages.end());
  for (const std::string& package : packages) {
    if (const std::string path = JoinPath(package, name); IsBinary(path)) return path;
  }
  for (const std::string& package : packages) {
    if (const std::string path = FindBelow(package, name, depth - 1); !path.empty()) return path;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> FindBinary(const std::string& name) { return FindBinaryFor(ExecutablePath(), name); }

absl::StatusOr<std::string> FindBinaryFor(const std::string& executable, const std::string& name) {
  std::vector<std::string> looked_at;
  if (const std::string dir = EnvironmentValue("MIMEO_BIN_DIR"); !dir.empty()) looked_at.push_back(JoinPath(dir, name));
  looked_at.push_back(JoinPath(executable.substr(0, executable.rfind('/')), name));
  for (const std::string& path : looked_at) {
    if (IsBinary(path)) return path;
  }
  for (const std::string& root : PackageRoots(executable)) {
    const std::string path = FindBelow(root, name, kPackageDepth);
    if (!path.empty()) return path;
    looked_at.push_back(absl::StrCat("the packages of ", root));
  }
  return absl::NotFoundError(absl::StrCat("the binary '", name, "' is not found; looked at ",
                                          absl::StrJoin(looked_at, ", "), " (MIMEO_BIN_DIR names another directory)"));
}

}  // namespace mimeo
