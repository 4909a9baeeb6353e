#include "base/find_binary.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

class FindBinaryTest : public ::testing::Test {
 protected:
  FindBinaryTest() {
    for (const char* const variable : {"MIMEO_BIN_DIR", "RUNFILES_DIR", "TEST_SRCDIR"}) unsetenv(variable);
  }

  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // Makes an executable file, and the folders above it.
  std::string Make(const std::string& name, mode_t mode = 0755) const {
    const std::string path = Path(name);
    EXPECT_OK(MakeDirs(path.substr(0, path.rfind('/'))));
    EXPECT_OK(WriteFileAtomic(path, "#!/bin/sh\n"));
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  std::string Find(const std::string& executable, const std::string& name) const {
    return FindBinaryFor(Path(executable), name).value_or("nowhere");
  }

  const TempDir dir_;
};

TEST_F(FindBinaryTest, AnInstallationHasThemBesideEachOther) {
  const std::string worker = Make("bin/worker");
  EXPECT_EQ(Find("bin/mimeo", "worker"), worker);
  EXPECT_EQ(Find("elsewhere/mimeo", "worker"), "nowhere");
  EXPECT_EQ(Find("mimeo", "worker"), "nowhere") << "a folder below is somebody else's";
  EXPECT_EQ(Find("share/mimeo", "worker"), "nowhere") << "and so is one next to it";
  Make("usr/bin/tools/worker");
  EXPECT_EQ(Find("usr/bin/mimeo", "worker"), "nowhere") << "not every folder of that name is a build tree's";
}

TEST_F(FindBinaryTest, MimeoBinDirComesFirst) {
  Make("bin/worker");
  const std::string meant = Make("meant/worker", 0644);
  ASSERT_EQ(setenv("MIMEO_BIN_DIR", Path("meant").c_str(), 1), 0);
  EXPECT_EQ(Find("bin/mimeo", "worker"), Path("bin/worker")) << "what cannot be executed is passed over";
  ASSERT_EQ(chmod(meant.c_str(), 0755), 0);
  EXPECT_EQ(Find("bin/mimeo", "worker"), meant);
}

TEST_F(FindBinaryTest, ABuildTreeHasThemInTheirPackages) {
  const std::string bin = "root/bazel-out/k8-opt/bin/";
  const std::string worker = Make(bin + "worker/worker");
  const std::string compute = Make(bin + "worker/worker_compute");
  const std::string cuda = Make(bin + "worker/cuda/libmimeo_cuda.so");
  ASSERT_OK(MakeDirs(Path(bin + "client/worker")));  // a folder of the name
  Make(bin + "client/mimeo.runfiles/old");
  Make(bin + "a/b/c/too_deep");
  for (const std::string caller : {"client/mimeo", "teacher_server/teacher_server", "tests/e2e/run_test"}) {
    EXPECT_EQ(Find(bin + caller, "worker"), worker) << caller;
    EXPECT_EQ(Find(bin + caller, "worker_compute"), compute) << caller;
    EXPECT_EQ(Find(bin + caller, "libmimeo_cuda.so"), cuda) << caller;
    EXPECT_EQ(Find(bin + caller, "old"), "nowhere") << "what another build left";
    EXPECT_EQ(Find(bin + caller, "too_deep"), "nowhere");
  }
  EXPECT_EQ(Find("root/bazel-out/k8-dbg/bin/client/mimeo", "worker"), "nowhere") << "another configuration";
}

TEST_F(FindBinaryTest, RunfilesComeBeforeTheBuildTree) {
  Make("bazel-out/k8-opt/bin/worker/worker");
  const std::string own = Make("bazel-out/k8-opt/bin/tests/e2e/run_test.runfiles/mimeo/worker/worker");
  EXPECT_EQ(Find("bazel-out/k8-opt/bin/tests/e2e/run_test", "worker"), own);
  const std::string given = Make("given/mimeo/worker/worker");
  for (const char* const variable : {"RUNFILES_DIR", "TEST_SRCDIR"}) {
    ASSERT_EQ(setenv(variable, Path("given").c_str(), 1), 0);
    EXPECT_EQ(Find("bazel-out/k8-opt/bin/tests/e2e/run_test", "worker"), given) << variable;
    ASSERT_EQ(unsetenv(variable), 0);
  }
}

TEST_F(FindBinaryTest, TheErrorSaysWhereItLooked) {
  ASSERT_EQ(setenv("MIMEO_BIN_DIR", "/meant", 1), 0);
  const absl::Status status = FindBinaryFor("/x/bazel-out/k8-opt/bin/client/mimeo", "worker").status();
  for (const char* const place : {"'worker'", "/meant/worker", "/x/bazel-out/k8-opt/bin/client/worker",
                                  "mimeo.runfiles/mimeo", "the packages of /x/bazel-out/k8-opt/bin ("}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, place));
  }
}

TEST_F(FindBinaryTest, TheCallingExecutableIsThisOne) {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
  ASSERT_OK_AND_ASSIGN(const std::string found, FindBinary("find_binary_test"));
  EXPECT_EQ(found, std::string(self, static_cast<size_t>(length)));
}

}  // namespace
}  // namespace mimeo
