#include "store/rocksdb_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <unistd.h>

#include <atomic>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

WriteBatch Put(Family family, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.puts.push_back({family, key, value});
  return batch;
}

TEST(RocksDbStoreTest, WhatWasWrittenIsThereAfterReopening) {
  const TempDir dir;
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
    ASSERT_OK(store->Write(Put(Family::kJournal, "synced", "1"), Durability::kSynced));
    ASSERT_OK(store->Write(Put(Family::kChunks, "buffered", std::string(100000, 'c')), Durability::kBuffered));
  }
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
  EXPECT_OK(store->Get(Family::kJournal, "synced"));
  ASSERT_OK_AND_ASSIGN(const std::string chunk, store->Get(Family::kChunks, "buffered"));
  EXPECT_EQ(chunk, std::string(100000, 'c'));
}

// Both durabilities outlive the process: no destructor runs in the child.
TEST(RocksDbStoreTest, WritesSurviveTheDeathOfTheProcess) {
  const TempDir dir;
  EXPECT_EXIT(
      {
        auto store = OpenRocksDbStore({dir.path()});
        bool ok = store.ok() && (*store)->Write(Put(Family::kMetrics, "buffered", "1"), Durability::kBuffered).ok();
        ok = ok && (*store)->Write(Put(Family::kJournal, "synced", "2"), Durability::kSynced).ok();
        ok = ok && (*store)->Write(Put(Family::kMetrics, "buffered later", "3"), Durability::kBuffered).ok();
        _exit(ok ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
  EXPECT_OK(store->Get(Family::kMetrics, "buffered"));
  EXPECT_OK(store->Get(Family::kJournal, "synced"));
  EXPECT_OK(store->Get(Family::kMetrics, "buffered later"));
}

TEST(RocksDbStoreTest, AHeldDirectoryIsUnavailableByName) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
  EXPECT_THAT(OpenRocksDbStore({dir.path()}).status(), StatusIs(absl::StatusCode::kUnavailable, dir.path()));
  EXPECT_THAT(OpenRocksDbStore({dir.path()}).status(),
              StatusIs(absl::StatusCode::kUnavailable, "held by another process"));
  EXPECT_OK(store->Write(Put(Family::kJournal, "k", "v"), Durability::kSynced)) << "the holder goes on";
}

TEST(RocksDbStoreTest, AnUnwritablePlaceIsRefusedByName) {
  const TempDir dir;
  const std::string file = JoinPath(dir.path(), "file");
  ASSERT_OK(WriteFileAtomic(file, "x"));
  EXPECT_THAT(OpenRocksDbStore({file + "/store"}).status(), StatusIs(absl::StatusCode::kNotFound, file));
}

// Opens the directory as RocksDB alone would, and writes `version` over ours.
void WriteSchemaVersion(const std::string& path, const std::string& version) {
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), path, families, &handles, &db).ok());
  ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "schema_version", version).ok());
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  delete db;
}

TEST(RocksDbStoreTest, AnotherSchemaVersionIsRefusedNamingBoth) {
  const TempDir dir;
  ASSERT_OK(OpenRocksDbStore({dir.path()}).status());
  WriteSchemaVersion(dir.path(), "99");
  const absl::Status status = OpenRocksDbStore({dir.path()}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, "version 99"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, "versions 1 and 2 only"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, dir.path()));
}

TEST(RocksDbStoreTest, ADamagedDirectoryIsDataLoss) {
  const TempDir dir;
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
    ASSERT_OK(store->Write(Put(Family::kJournal, "k", "v"), Durability::kSynced));
  }
  ASSERT_OK(WriteFileAtomic(JoinPath(dir.path(), "CURRENT"), "nonsense\n"));
  EXPECT_THAT(OpenRocksDbStore({dir.path()}).status(), StatusIs(absl::StatusCode::kDataLoss, dir.path()));
}

// A disk that is full while `full` is set.
class FullDiskEnv : public rocksdb::EnvWrapper {
 public:
  FullDiskEnv() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {}
  const char* Name() const override { return "FullDiskEnv"; }

  rocksdb::Status NewWritableFile(const std::string& path, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    if (full) return rocksdb::Status::NoSpace();
    std::unique_ptr<rocksdb::WritableFile> real;
    const rocksdb::Status status = target()->NewWritableFile(path, &real, options);
    if (status.ok()) file->reset(new File(this, std::move(real)));
    return status;
  }

  std::atomic<bool> full{false};

 private:
  class File : public rocksdb::WritableFileWrapper {
   public:
    File(FullDiskEnv* env, std::unique_ptr<rocksdb::WritableFile> file)
        : rocksdb::WritableFileWrapper(file.get()), env_(env), file_(std::move(file)) {}
    rocksdb::Status Append(const rocksdb::Slice& bytes) override {
      return env_->full ? rocksdb::Status::NoSpace() : rocksdb::WritableFileWrapper::Append(bytes);
    }
    rocksdb::Status PositionedAppend(const rocksdb::Slice& bytes, uint64_t offset) override {
      if (!env_->full) return rocksdb::WritableFileWrapper::PositionedAppend(bytes, offset);
      // As a disk does it: a part fits.
      rocksdb::WritableFileWrapper::PositionedAppend(rocksdb::Slice(bytes.data(), bytes.size() / 2), offset)
          .PermitUncheckedError();
      return rocksdb::Status::NoSpace();
    }
    using rocksdb::WritableFileWrapper::Append;
    using rocksdb::WritableFileWrapper::PositionedAppend;

   private:
    FullDiskEnv* const env_;
    const std::unique_ptr<rocksdb::WritableFile> file_;
  };
};

TEST(RocksDbStoreTest, AFullDiskIsResourceExhaustedAndHeals) {
  const TempDir dir;
  FullDiskEnv env;
  RocksDbOptions options;
  options.path = dir.path();
  options.env = &env;
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore(options));
    ASSERT_OK(store->Write(Put(Family::kJournal, "before", "1"), Durability::kSynced));
    env.full = true;
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(store->Write(Put(Family::kJournal, "during", "2"), Durability::kSynced),
                  StatusIs(absl::StatusCode::kResourceExhausted, dir.path()));
    }
    EXPECT_OK(store->Get(Family::kJournal, "before")) << "reading goes on";
    EXPECT_THAT(store->Get(Family::kJournal, "during"), StatusIs(absl::StatusCode::kNotFound));
    env.full = false;
    EXPECT_OK(store->Write(Put(Family::kJournal, "after", "3"), Durability::kSynced));
  }
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore(options));
  EXPECT_OK(store->Get(Family::kJournal, "before"));
  EXPECT_OK(store->Get(Family::kJournal, "after"));
  EXPECT_THAT(store->Get(Family::kJournal, "during"), StatusIs(absl::StatusCode::kNotFound));
}

// A process that dies while the disk is full leaves a log that ends in half a record.
TEST(RocksDbStoreTest, WhatAFullDiskCutOffIsDroppedAtTheNextStart) {
  const TempDir dir;
  EXPECT_EXIT(
      {
        FullDiskEnv env;
        RocksDbOptions options;
        options.path = dir.path();
        options.env = &env;
        auto store = OpenRocksDbStore(options);
        bool ok = (*store)->Write(Put(Family::kJournal, "before", "1"), Durability::kSynced).ok();
        env.full = true;
        ok = ok && !(*store)->Write(Put(Family::kJournal, "during", std::string(1000, '2')), Durability::kSynced).ok();
        _exit(ok ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
  EXPECT_OK(store->Get(Family::kJournal, "before"));
  EXPECT_THAT(store->Get(Family::kJournal, "during"), StatusIs(absl::StatusCode::kNotFound));
}

// Without CURRENT RocksDB would begin a new store among the files of the old one.
TEST(RocksDbStoreTest, WithoutItsFirstFileAStoreIsNotBegunAnew) {
  const TempDir dir;
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
    ASSERT_OK(store->Write(Put(Family::kJournal, "k", "v"), Durability::kSynced));
  }
  ASSERT_OK(RemoveTree(JoinPath(dir.path(), "CURRENT")));
  EXPECT_THAT(OpenRocksDbStore({dir.path()}).status(), StatusIs(absl::StatusCode::kDataLoss, "CURRENT is missing"));
  EXPECT_FALSE(FileExists(JoinPath(dir.path(), "CURRENT")));
}

TEST(RocksDbStoreTest, AStoreWhoseMakingWasCutOffIsMade) {
  const TempDir dir;
  for (const char* file : {"LOCK", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"}) {
    ASSERT_OK(WriteFileAtomic(JoinPath(dir.path(), file), ""));
  }
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
  EXPECT_OK(store->Write(Put(Family::kJournal, "k", "v"), Durability::kSynced));
}

}  // namespace
}  // namespace mimeo
