#include "store/testing/faulty_store.h"

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "store/rocksdb_store.h"

namespace mimeo::testing {
namespace {

// The test's own stores live in memory: an error here is the test's, not the product's.
void CheckOk(const absl::Status& status) { MIMEO_CHECK(status.ok(), status.ToString()); }

std::unique_ptr<KeyValueStore> NewMemoryStore() {
  absl::StatusOr<std::unique_ptr<KeyValueStore>> store = OpenRocksDbStore({"memory", /*in_memory=*/true});
  CheckOk(store.status());
  return *std::move(store);
}

std::unique_ptr<KeyValueStore> Copy(const KeyValueStore& store) {
  std::unique_ptr<KeyValueStore> copy = NewMemoryStore();
  for (int family = 0; family < kNumFamilies; ++family) {
    const auto put = [&](absl::string_view key, absl::string_view value) {
      WriteBatch batch;
      batch.puts.push_back({static_cast<Family>(family), std::string(key), std::string(value)});
      CheckOk(copy->Write(batch, Durability::kBuffered));
      return true;
    };
    CheckOk(store.Scan(static_cast<Family>(family), "", "", put));
  }
  return copy;
}

}  // namespace

FaultyStore::FaultyStore(std::unique_ptr<KeyValueStore> disk) : disk_(std::move(disk)), live_(Copy(*disk_)) {}

FaultyStore::FaultyStore() : FaultyStore(NewMemoryStore()) {}

void FaultyStore::FailWrites(int64_t first, int64_t count, absl::Status status) {
  absl::MutexLock lock(&mu_);
  fail_first_ = first;
  fail_end_ = first + count;
  fail_status_ = std::move(status);
}

void FaultyStore::SetHooks(std::function<void(int64_t)> before, std::function<void(int64_t)> after) {
  absl::MutexLock lock(&mu_);
  before_ = std::move(before);
  after_ = std::move(after);
}

int64_t FaultyStore::writes() const {
  absl::MutexLock lock(&mu_);
  return writes_;
}

int64_t FaultyStore::unsynced() const {
  absl::MutexLock lock(&mu_);
  return unsynced_.size();
}

std::unique_ptr<KeyValueStore> FaultyStore::Crash(int64_t keep) {
  absl::MutexLock lock(&mu_);
  for (int64_t i = 0; i < keep && i < static_cast<int64_t>(unsynced_.size()); ++i) {
    CheckOk(disk_->Write(unsynced_[i], Durability::kSynced));
  }
  unsynced_.clear();
  return std::move(disk_);
}

absl::StatusOr<KeyValueStore*> FaultyStore::Live() const {
  absl::MutexLock lock(&mu_);
  if (disk_ == nullptr) return absl::UnavailableError("the machine has crashed");
  return live_.get();
}

absl::StatusOr<std::string> FaultyStore::Get(Family family, absl::string_view key) const {
  ASSIGN_OR_RETURN(KeyValueStore* const live, Live());
  return live->Get(family, key);
}

absl::Status FaultyStore::Write(const WriteBatch& batch, Durability durability) {
  absl::MutexLock lock(&mu_);
  if (disk_ == nullptr) return absl::UnavailableError("the machine has crashed");
  const int64_t number = ++writes_;
  if (before_ != nullptr) before_(number);
  if (number >= fail_first_ && number < fail_end_) return fail_status_;
  RETURN_IF_ERROR(live_->Write(batch, durability));
  unsynced_.push_back(batch);
  if (durability == Durability::kSynced) {  // of one log: all that was written before is synced with it
    for (const WriteBatch& write : unsynced_) RETURN_IF_ERROR(disk_->Write(write, Durability::kSynced));
    unsynced_.clear();
  }
  if (after_ != nullptr) after_(number);
  return absl::OkStatus();
}

absl::Status FaultyStore::Scan(Family family, absl::string_view prefix, absl::string_view start,
                               absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const {
  ASSIGN_OR_RETURN(KeyValueStore* const live, Live());
  return live->Scan(family, prefix, start, visit);
}

absl::StatusOr<int64_t> FaultyStore::ApproximateBytes() const {
  ASSIGN_OR_RETURN(KeyValueStore* const live, Live());
  return live->ApproximateBytes();
}

}  // namespace mimeo::testing
