#include "store/checkpoint_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "store/testing/faulty_store.h"

namespace mimeo {
namespace {

using testing::FaultyStore;
using testing::StatusIs;

constexpr int64_t kChunk = 10;

class CheckpointStoreTest : public ::testing::Test {
 protected:
  static std::string Stream(int64_t bytes, char first = 'a') {
    std::string stream;
    for (int64_t i = 0; i < bytes; ++i) stream += static_cast<char>(first + i % 20);
    return stream;
  }

  static CheckpointManifest ManifestOf(const std::string& job_id, int64_t step, const std::string& content_id,
                                       const std::string& stream) {
    CheckpointManifest manifest;
    manifest.set_job_id(job_id);
    manifest.set_step(step);
    manifest.set_content_id(content_id);
    manifest.set_total_bytes(stream.size());
    manifest.set_chunk_bytes(kChunk);
    for (size_t at = 0; at < stream.size(); at += kChunk) manifest.add_chunk_sha256(Sha256(stream.substr(at, kChunk)));
    return manifest;
  }

  void Upload(const CheckpointManifest& manifest, const std::string& stream, int32_t skip = -1) {
    for (int32_t i = 0; i < manifest.chunk_sha256_size(); ++i) {
      if (i == skip) continue;
      const std::string bytes = stream.substr(i * kChunk, kChunk);
      ASSERT_OK(
          checkpoints_.PutChunk({manifest.job_id(), manifest.step(), manifest.content_id(), i}, Sha256(bytes), bytes));
    }
  }

  CheckpointManifest Commit(const std::string& job_id, int64_t step, const std::string& content_id,
                            const std::string& stream) {
    const CheckpointManifest manifest = ManifestOf(job_id, step, content_id, stream);
    Upload(manifest, stream);
    const absl::StatusOr<WriteBatch> batch = checkpoints_.CommitBatch(manifest);
    EXPECT_OK(batch);
    EXPECT_OK(store_.Write(*batch, Durability::kSynced));
    return manifest;
  }

  absl::StatusOr<std::string> ReadStream(const CheckpointStore& checkpoints, const CheckpointManifest& manifest) {
    std::string stream;
    for (int32_t i = 0; i < manifest.chunk_sha256_size(); ++i) {
      const absl::StatusOr<std::string> chunk = checkpoints.GetChunk(manifest, i);
      if (!chunk.ok()) return chunk.status();
      stream += *chunk;
    }
    return stream;
  }

  int64_t CountChunks() {
    int64_t count = 0;
    EXPECT_OK(store_.Scan(Family::kChunks, "", "", [&](absl::string_view, absl::string_view) { return ++count > 0; }));
    return count;
  }

  FaultyStore store_;
  CheckpointStore checkpoints_{&store_};
};

TEST_F(CheckpointStoreTest, WhatWasCommittedIsReadBack) {
  for (const int64_t bytes : {1, 9, 10, 11, 30, 35}) {
    const std::string stream = Stream(bytes);
    const CheckpointManifest manifest = Commit("j1", bytes, "c", stream);
    ASSERT_OK_AND_ASSIGN(const CheckpointManifest stored, checkpoints_.GetManifest("j1", bytes));
    EXPECT_EQ(stored.SerializeAsString(), manifest.SerializeAsString());
    ASSERT_OK_AND_ASSIGN(const std::string read, ReadStream(checkpoints_, stored));
    EXPECT_EQ(read, stream);
  }
}

TEST_F(CheckpointStoreTest, NoManifestNoCheckpoint) {
  const std::string stream = Stream(25);
  Upload(ManifestOf("j1", 5, "c", stream), stream);
  EXPECT_THAT(checkpoints_.GetManifest("j1", 5),
              StatusIs(absl::StatusCode::kNotFound, "job j1 has no checkpoint of step 5"));
  ASSERT_OK_AND_ASSIGN(const auto manifests, checkpoints_.ListManifests("j1"));
  EXPECT_TRUE(manifests.empty());
}

TEST_F(CheckpointStoreTest, ListsByStepAndByJob) {
  for (const int64_t step : {20, 3, 100}) Commit("j1", step, "c", Stream(5));
  Commit("j11", 7, "c", Stream(5));
  ASSERT_OK_AND_ASSIGN(const auto manifests, checkpoints_.ListManifests("j1"));
  std::vector<int64_t> steps;
  for (const CheckpointManifest& manifest : manifests) steps.push_back(manifest.step());
  EXPECT_EQ(steps, (std::vector<int64_t>{3, 20, 100}));
}

TEST_F(CheckpointStoreTest, AMissingChunkIsNamed) {
  const std::string stream = Stream(35);
  const CheckpointManifest manifest = ManifestOf("j1", 5, "upload", stream);
  Upload(manifest, stream, /*skip=*/2);
  EXPECT_THAT(checkpoints_.CommitBatch(manifest), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                           "checkpoint j1 step 5 chunk 2 of upload upload is missing"));
}

TEST_F(CheckpointStoreTest, ADifferentChunkIsNamed) {
  const std::string stream = Stream(35);
  CheckpointManifest manifest = ManifestOf("j1", 5, "c", stream);
  Upload(manifest, stream);
  manifest.set_chunk_sha256(1, Sha256("other"));
  EXPECT_THAT(checkpoints_.CommitBatch(manifest),
              StatusIs(absl::StatusCode::kFailedPrecondition, "chunk 1 does not match"));
  CheckpointManifest longer = ManifestOf("j1", 5, "c", stream);
  longer.set_total_bytes(36);
  EXPECT_THAT(checkpoints_.CommitBatch(longer), StatusIs(absl::StatusCode::kFailedPrecondition, "chunk 3 has 5 bytes"));
}

TEST_F(CheckpointStoreTest, ContradictionsOfAManifestAreInvalid) {
  const std::string stream = Stream(35);
  const CheckpointManifest good = ManifestOf("j1", 5, "c", stream);
  Upload(good, stream);
  const auto error = [&](auto change) {
    CheckpointManifest bad = good;
    change(&bad);
    return checkpoints_.CommitBatch(bad).status();
  };
  EXPECT_OK(error([](CheckpointManifest*) {}));
  using M = CheckpointManifest;
  EXPECT_THAT(error([](M* m) { m->set_total_bytes(45); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "chunk_sha256: 4 digests"));
  EXPECT_THAT(error([](M* m) { m->set_total_bytes(0); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "total_bytes: 0"));
  EXPECT_THAT(error([](M* m) { m->set_total_bytes(INT64_MAX); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "total_bytes"));
  EXPECT_THAT(error([](M* m) { m->set_chunk_bytes(0); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "chunk_bytes: 0"));
  EXPECT_THAT(error([](M* m) { m->set_chunk_bytes(limits::kChunkBytes + 1); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "chunk_bytes"));
  EXPECT_THAT(error([](M* m) { m->set_chunk_sha256(3, "short"); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "chunk_sha256[3]: 5 bytes; must be 32"));
  EXPECT_THAT(error([](M* m) { m->set_content_id(""); }), StatusIs(absl::StatusCode::kInvalidArgument, "content_id"));
  EXPECT_THAT(error([](M* m) { m->set_job_id(std::string(65, 'j')); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "job_id"));
  EXPECT_THAT(error([](M* m) { m->set_step(-1); }), StatusIs(absl::StatusCode::kInvalidArgument, "step: -1"));
}

TEST_F(CheckpointStoreTest, BadChunksAreRefused) {
  const std::string largest(limits::kChunkBytes, 'x'), large(limits::kChunkBytes + 1, 'x');
  EXPECT_OK(checkpoints_.PutChunk({"j1", 1, "c", 0}, Sha256(largest), largest));
  EXPECT_THAT(checkpoints_.PutChunk({"j1", 1, "c", 0}, Sha256(large), large),
              StatusIs(absl::StatusCode::kInvalidArgument, "1048577 bytes; at most 1048576"));
  EXPECT_THAT(checkpoints_.PutChunk({"j1", 1, "c", 3}, Sha256("y"), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, "checkpoint j1 step 1 chunk 3: the bytes do not match"));
  EXPECT_THAT(checkpoints_.PutChunk({"j1", 1, "c", -1}, Sha256("x"), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, "index"));
  EXPECT_THAT(checkpoints_.PutChunk({"", 1, "c", 0}, Sha256("x"), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, "job_id"));
}

TEST_F(CheckpointStoreTest, AFullDiskKeepsThePreviousCheckpoint) {
  const std::string before = Stream(25);
  const CheckpointManifest manifest = Commit("j1", 5, "c", before);
  store_.FailWrites(store_.writes() + 1, 100, absl::ResourceExhaustedError("disk full"));
  EXPECT_THAT(checkpoints_.PutChunk({"j1", 6, "d", 0}, Sha256("x"), "x"),
              StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadStream(checkpoints_, manifest));
  EXPECT_EQ(read, before);
}

TEST_F(CheckpointStoreTest, ADamagedChunkIsDataLossOnReading) {
  const CheckpointManifest manifest = Commit("j1", 5, "c", Stream(35));
  std::vector<std::string> keys;
  ASSERT_OK(store_.Scan(Family::kChunks, "", "", [&](absl::string_view key, absl::string_view) {
    keys.emplace_back(key);
    return true;
  }));
  WriteBatch damage;
  damage.puts.push_back({Family::kChunks, keys[1], "damaged!!!"});
  damage.removes.push_back({Family::kChunks, keys[2]});
  ASSERT_OK(store_.Write(damage, Durability::kSynced));
  EXPECT_OK(checkpoints_.GetChunk(manifest, 0));
  EXPECT_THAT(checkpoints_.GetChunk(manifest, 1),
              StatusIs(absl::StatusCode::kDataLoss, "checkpoint j1 step 5 chunk 1 does not match its digest"));
  EXPECT_THAT(checkpoints_.GetChunk(manifest, 2), StatusIs(absl::StatusCode::kNotFound, "chunk 2"));
  EXPECT_THAT(checkpoints_.GetChunk(manifest, 4), StatusIs(absl::StatusCode::kNotFound, "has 4 chunks"));
}

TEST_F(CheckpointStoreTest, UploadsOfOneStepDoNotTouchEachOther) {
  const std::string ours = Stream(25), theirs = Stream(25, 'k');
  const CheckpointManifest manifest = Commit("j1", 5, "ours", ours);
  Upload(ManifestOf("j1", 5, "theirs", theirs), theirs);
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadStream(checkpoints_, manifest));
  EXPECT_EQ(read, ours);
}

TEST_F(CheckpointStoreTest, ASecondCommitOfAStepReplacesTheFirstAndItsChunks) {
  Commit("j1", 5, "first", Stream(45));
  const std::string stream = Stream(25, 'k');
  Commit("j1", 5, "second", stream);
  ASSERT_OK_AND_ASSIGN(const CheckpointManifest manifest, checkpoints_.GetManifest("j1", 5));
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadStream(checkpoints_, manifest));
  EXPECT_EQ(read, stream);
  EXPECT_EQ(CountChunks(), 3);
  Commit("j1", 5, "second", stream);
  EXPECT_EQ(CountChunks(), 3) << "the same manifest again";
}

TEST_F(CheckpointStoreTest, DeleteBatchDeletesOneCheckpointWhole) {
  Commit("j1", 5, "c", Stream(35));
  const CheckpointManifest other = Commit("j1", 6, "c", Stream(25));
  ASSERT_OK_AND_ASSIGN(const WriteBatch batch, checkpoints_.DeleteBatch("j1", 5));
  ASSERT_OK(store_.Write(batch, Durability::kSynced));
  EXPECT_THAT(checkpoints_.GetManifest("j1", 5), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(CountChunks(), 3);
  EXPECT_OK(ReadStream(checkpoints_, other));
  ASSERT_OK_AND_ASSIGN(const WriteBatch again, checkpoints_.DeleteBatch("j1", 5));
  EXPECT_TRUE(again.puts.empty() && again.removes.empty());
}

TEST_F(CheckpointStoreTest, UploadsThatNoManifestNamesAreListedAndDeleted) {
  const CheckpointManifest committed = Commit("j1", 3, "c", Stream(25));
  for (const int64_t step : {1, 2, 4}) Upload(ManifestOf("j1", step, "loose", Stream(15)), Stream(15));
  Upload(ManifestOf("j1", 3, "fenced", Stream(15)), Stream(15));
  Upload(ManifestOf("j11", 1, "other job", Stream(15)), Stream(15));
  ASSERT_OK_AND_ASSIGN(const std::vector<mimeo::Upload> uploads, checkpoints_.ListUncommitted("j1"));
  EXPECT_EQ(uploads, (std::vector<mimeo::Upload>{{1, "loose"}, {2, "loose"}, {3, "fenced"}, {4, "loose"}}));
  ASSERT_OK(checkpoints_.DeleteUpload("j1", {2, "loose"}));
  ASSERT_OK(checkpoints_.DeleteUpload("j1", {3, "fenced"}));
  EXPECT_OK(ReadStream(checkpoints_, committed));
  EXPECT_EQ(CountChunks(), 3 + 2 * 2 + 2);
  EXPECT_OK(checkpoints_.CommitBatch(ManifestOf("j1", 4, "loose", Stream(15))));
  EXPECT_FALSE(checkpoints_.CommitBatch(ManifestOf("j1", 2, "loose", Stream(15))).ok());
}

// The machine may crash after any write of an upload, keeping any part of what was not synced.
TEST_F(CheckpointStoreTest, AfterAnyCrashACheckpointIsWholeOrAbsent) {
  const std::string stream = Stream(35);
  for (int writes = 0; writes <= 5; ++writes) {
    for (int keep = 0; keep <= 5; ++keep) {
      FaultyStore store;
      CheckpointStore checkpoints(&store);
      const CheckpointManifest manifest = ManifestOf("j1", 5, "c", stream);
      for (int32_t i = 0; i < std::min(writes, 4); ++i) {
        const std::string bytes = stream.substr(i * kChunk, kChunk);
        ASSERT_OK(checkpoints.PutChunk({"j1", 5, "c", i}, Sha256(bytes), bytes));
      }
      if (writes == 5) {
        ASSERT_OK_AND_ASSIGN(const WriteBatch batch, checkpoints.CommitBatch(manifest));
        ASSERT_OK(store.Write(batch, Durability::kSynced));
      }
      const auto disk = store.Crash(keep);
      const CheckpointStore after(disk.get());
      const absl::StatusOr<CheckpointManifest> found = after.GetManifest("j1", 5);
      EXPECT_EQ(found.ok(), writes == 5);
      if (!found.ok()) continue;
      ASSERT_OK_AND_ASSIGN(const std::string read, ReadStream(after, *found));
      EXPECT_EQ(read, stream);
    }
  }
}

}  // namespace
}  // namespace mimeo
