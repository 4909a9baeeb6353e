#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/subprocess.h"

namespace mimeo {
namespace {

std::string EnvironmentValue(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Where Bazel puts the binary: <package>/<name>.
std::string BazelPath(const std::string& name) {
  static const auto* const packages = new std::map<std::string, std::string>{
      {"mimeo", "client"}, {"worker_compute", "worker"}, {"libmimeo_cuda.so", "worker/cuda"}};
  const auto it = packages->find(name);
  return absl::StrCat(it == packages->end() ? name : it->second, "/", name);
}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length <= 0 ? "" : std::string(path, length);
}

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::vector<std::string> Candidates(const std::string& name) {
  constexpr int kLevels = 4;  // a test's directory lies at most this deep below bazel-bin
  std::vector<std::string> paths;
  if (const std::string dir = EnvironmentValue("MIMEO_BIN_DIR"); !dir.empty()) paths.push_back(JoinPath(dir, name));
  const std::string executable = ExecutablePath();
  std::string dir = Parent(executable);
  paths.push_back(JoinPath(dir, name));
  for (const char* variable : {"RUNFILES_DIR", "TEST_SRCDIR"}) {
    const std::string root = EnvironmentValue(variable);
    if (!root.empty()) paths.push_back(absl::StrCat(root, "/mimeo/", BazelPath(name)));
  }
  paths.push_back(absl::StrCat(executable, ".runfiles/mimeo/", BazelPath(name)));
  for (int level = 0; level < kLevels && !dir.empty(); ++level) {
    dir = Parent(dir);
    paths.push_back(absl::StrCat(dir, "/", BazelPath(name)));
  }
  return paths;
}

}  // namespace

absl::StatusOr<std::string> FindBinary(const std::string& name) {
  const std::vector<std::string> paths = Candidates(name);
  for (const std::string& path : paths) {
    if (access(path.c_str(), X_OK) == 0 && !IsDirectory(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat("the binary '", name, "' is not found; looked at ",
                                          absl::StrJoin(paths, ", "), " (MIMEO_BIN_DIR names another directory)"));
}

}  // namespace mimeo
