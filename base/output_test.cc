#include "base/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using testing::StatusIs;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class OutputTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // How many files and folders there are.
  int Entries() const {
    int entries = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) entries += entry.exists();
    return entries;
  }
  const TempDir dir_;
};

TEST_F(OutputTest, WhatCanBeWrittenIsFoundSoAndStaysAsItWas) {
  ASSERT_OK(WriteFileAtomic(Path("there"), "old"));
  EXPECT_OK(CheckOutputFile("--out", Path("new")));
  EXPECT_OK(CheckOutputFile("--out", Path("there")));
  EXPECT_OK(CheckOutputFolder("--out", dir_.path()));
  EXPECT_OK(CheckOutputFolder("--out", dir_.path() + "/"));
  EXPECT_OK(CheckOutputFolder("--out", Path("a/b/c")));
  EXPECT_EQ(ReadFile(Path("there")).value(), "old");
  EXPECT_EQ(Entries(), 1);
}

TEST_F(OutputTest, AFolderIsNoFileAndAFileNoFolder) {
  ASSERT_OK(WriteFileAtomic(Path("file"), ""));
  EXPECT_THAT(CheckOutputFile("--out", dir_.path()),
              StatusIs(kInvalid, "is a folder; it should be the name of a file"));
  EXPECT_THAT(CheckOutputFolder("--out", Path("file")), StatusIs(kInvalid, "/file is not a folder"));
  EXPECT_THAT(CheckOutputFolder("--out", Path("file/below/it")), StatusIs(kInvalid, "/file is not a folder"));
  EXPECT_THAT(CheckOutputFile("--out", Path("file/below")), StatusIs(kInvalid, "/file is not a folder"));
}

TEST_F(OutputTest, AFileNeedsItsParent) {
  EXPECT_THAT(CheckOutputFile("--out", Path("none/file")), StatusIs(kInvalid, "--out "));
  EXPECT_THAT(CheckOutputFile("--out", Path("none/file")), StatusIs(kInvalid, "there is no folder "));
}

// Nobody can make files there, root neither.
TEST_F(OutputTest, AFolderThatTakesNoFilesIsRefused) {
  EXPECT_THAT(CheckOutputFile("--out", "/proc/features"),
              StatusIs(kInvalid, "--out /proc/features: cannot be written"));
  EXPECT_THAT(CheckOutputFolder("--out", "/proc/a/b"), StatusIs(kInvalid, "--out /proc/a/b: cannot be written"));
  // The file that was tried has a name that nobody gave it.
  EXPECT_EQ(CheckOutputFile("--out", "/proc/features").message(),
            "--out /proc/features: cannot be written: creating a file in /proc: No such file or directory");
}

TEST_F(OutputTest, NamesThatAreNoTextAreWrittenOut) {
  EXPECT_OK(CheckOutputFile("--out", Path("caf\xe9")));
  EXPECT_THAT(CheckOutputFile("--out", Path("caf\xe9/file")), StatusIs(kInvalid, "/caf\\xe9"));
}

class TemporaryFolderTest : public OutputTest {
 protected:
  ~TemporaryFolderTest() override { SetTo(before_); }
  static void SetTo(const std::string& folder) { setenv("TMPDIR", folder.c_str(), 1); }
  const std::string before_ = getenv("TMPDIR") == nullptr ? "" : getenv("TMPDIR");
};

TEST_F(TemporaryFolderTest, IsCheckedByItsVariable) {
  SetTo(dir_.path());
  EXPECT_OK(CheckTemporaryFolder());
  EXPECT_EQ(Entries(), 0);
  SetTo("");
  EXPECT_OK(CheckTemporaryFolder());
  SetTo(Path("none"));
  EXPECT_THAT(CheckTemporaryFolder(), StatusIs(kInvalid, absl::StrCat("TMPDIR ", Path("none"), ": there is no such")));
  SetTo("/proc");
  EXPECT_THAT(CheckTemporaryFolder(), StatusIs(kInvalid, "TMPDIR /proc: cannot be written"));
}

TEST_F(TemporaryFolderTest, ATempDirThatCannotBeMadeEndsTheProcessWithASentence) {
  SetTo(Path("none"));
  EXPECT_EXIT(TempDir(), ::testing::ExitedWithCode(2), "TMPDIR");
}

}  // namespace
}  // namespace mimeo
