#include "base/file.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <thread>

#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

int EntriesIn(const std::string& dir) {
  DIR* const handle = opendir(dir.c_str());
  int count = 0;
  while (const dirent* entry = readdir(handle)) count += entry->d_name[0] != '.';
  closedir(handle);
  return count;
}

TEST(FileTest, WhatIsWrittenIsRead) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  const std::string bytes("a\0b\xff", 4);
  ASSERT_OK(WriteFileAtomic(path, bytes));
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadFile(path));
  EXPECT_EQ(read, bytes);
  ASSERT_OK(WriteFileAtomic(path, ""));
  ASSERT_OK_AND_ASSIGN(const std::string empty, ReadFile(path));
  EXPECT_EQ(empty, "");
  EXPECT_EQ(EntriesIn(dir.path()), 1) << "a temporary file was left behind";
}

TEST(FileTest, ErrorsNameThePath) {
  const TempDir dir;
  const std::string missing = JoinPath(dir.path(), "missing");
  EXPECT_THAT(ReadFile(missing), StatusIs(absl::StatusCode::kNotFound, missing));
  EXPECT_THAT(MappedFile::Open(missing).status(), StatusIs(absl::StatusCode::kNotFound, missing));
  EXPECT_THAT(WriteFileAtomic(missing + "/below", "x"), StatusIs(absl::StatusCode::kNotFound, missing));
  EXPECT_THAT(ReadFile(dir.path()), StatusIs(absl::StatusCode::kInvalidArgument, dir.path()));
  EXPECT_THAT(MappedFile::Open(dir.path()).status(), StatusIs(absl::StatusCode::kInvalidArgument, dir.path()));
}

TEST(FileTest, APipeIsNotMappedAndNotWaitedFor) {
  const TempDir dir;
  const std::string pipe = JoinPath(dir.path(), "pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(MappedFile::Open(pipe).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "a pipe, socket or device"));
}

// A limit on file sizes (EFBIG) stands for a full disk, which a test cannot have.
TEST(FileTest, AFailedWriteKeepsTheOldFile) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  ASSERT_OK(WriteFileAtomic(path, "old"));
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteFileAtomic(path, std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, path));
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(path));
  EXPECT_EQ(bytes, "old");
  EXPECT_EQ(EntriesIn(dir.path()), 1);
}

TEST(FileTest, ReadsAtMostTheGivenBytes) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  ASSERT_OK(WriteFileAtomic(path, std::string(100, 'x')));
  EXPECT_OK(ReadFile(path, 100));
  EXPECT_THAT(ReadFile(path, 99), StatusIs(absl::StatusCode::kResourceExhausted, "99"));
}

TEST(FileTest, ReadsFilesThatSayTheyAreEmpty) {
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile("/proc/self/status"));
  EXPECT_NE(text.find("Pid:"), std::string::npos);
}

TEST(FileTest, AReaderSeesTheOldBytesOrTheNew) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  const std::string old_bytes(1 << 16, 'o'), new_bytes(1 << 17, 'n');
  ASSERT_OK(WriteFileAtomic(path, old_bytes));
  std::thread writer([&] {
    for (int i = 0; i < 6; ++i) EXPECT_OK(WriteFileAtomic(path, i % 2 == 0 ? new_bytes : old_bytes));
  });
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<std::string> read = ReadFile(path);
    EXPECT_TRUE(read.ok() && (*read == old_bytes || *read == new_bytes));
  }
  writer.join();
}

TEST(FileTest, ManyWritersOfOneFileLeaveOneWholeFile) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  std::vector<std::thread> writers;
  for (char c = 'a'; c < 'e'; ++c) {
    writers.emplace_back([&path, c] { EXPECT_OK(WriteFileAtomic(path, std::string(5000, c))); });
  }
  for (std::thread& writer : writers) writer.join();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(path));
  EXPECT_EQ(bytes, std::string(5000, bytes[0]));
  EXPECT_EQ(EntriesIn(dir.path()), 1);
}

TEST(FileTest, DirectoriesAreMadeWithParentsAndRemovedWhole) {
  const TempDir dir;
  const std::string deep = JoinPath(dir.path(), "a/b/c");
  ASSERT_OK(MakeDirs(deep));
  EXPECT_OK(MakeDirs(deep)) << "a second time";
  EXPECT_OK(MakeDirs(deep + "/"));
  EXPECT_TRUE(IsDirectory(deep));
  ASSERT_OK(WriteFileAtomic(deep + "/file", "x"));
  EXPECT_TRUE(FileExists(deep + "/file"));
  EXPECT_FALSE(IsDirectory(deep + "/file"));
  EXPECT_THAT(MakeDirs(deep + "/file"), StatusIs(absl::StatusCode::kNotFound, deep + "/file"));
  ASSERT_OK(RemoveTree(JoinPath(dir.path(), "a")));
  EXPECT_FALSE(FileExists(deep));
  EXPECT_OK(RemoveTree(deep)) << "what is not there is removed already";
}

TEST(FileTest, JoinPath) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
}

TEST(FileTest, TempDirsAreDistinctAndVanish) {
  std::string path;
  {
    const TempDir a, b;
    EXPECT_NE(a.path(), b.path());
    path = a.path();
    ASSERT_OK(MakeDirs(path + "/below"));
  }
  EXPECT_FALSE(FileExists(path));
}

TEST(FileTest, MappedFileHoldsTheBytesThroughMoves) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  ASSERT_OK(WriteFileAtomic(path, "first"));
  ASSERT_OK_AND_ASSIGN(MappedFile file, MappedFile::Open(path));
  ASSERT_OK(WriteFileAtomic(path, "other"));
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes(), "first") << "a replaced file stays mapped";
  ASSERT_OK_AND_ASSIGN(MappedFile other, MappedFile::Open(path));
  moved = std::move(other);
  EXPECT_EQ(moved.bytes(), "other");
}

TEST(FileTest, AnEmptyFileMapsToNoBytes) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "file");
  ASSERT_OK(WriteFileAtomic(path, ""));
  ASSERT_OK_AND_ASSIGN(const MappedFile file, MappedFile::Open(path));
  EXPECT_TRUE(file.bytes().empty());
}

}  // namespace
}  // namespace mimeo
