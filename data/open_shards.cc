#include "data/open_shards.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/sample_name.h"

namespace mimeo {

absl::StatusOr<SampleFile> OpenListed(const std::string& path, int64_t size) {
  absl::StatusOr<SampleFile> file = SampleFile::Open(path);
  if (!file.ok()) return absl::UnavailableError(file.status().message());
  if (file->size() == size) return file;
  return absl::UnavailableError(
      absl::StrCat(ShortName(path), ": has ", file->size(), " bytes, and had ", size, " when it was listed"));
}

size_t OpenShards::OpenMost() {
  constexpr rlim_t kMost = 1 << 16;  // where there is no limit, or an absurd one
  rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 1;
  return static_cast<size_t>(std::clamp<rlim_t>(descriptors.rlim_cur / 4, 1, kMost));
}

int OpenShards::Add(SampleFile file) {
  absl::MutexLock lock(&mu_);
  const int shard = static_cast<int>(shards_.size());
  shards_.push_back({file.path(), file.size(), nullptr, {}});
  Keep(shard, std::make_shared<const SampleFile>(std::move(file)));
  return shard;
}

absl::StatusOr<std::string> OpenShards::ReadAt(int shard, int64_t offset, int64_t size) {
  ASSIGN_OR_RETURN(const File file, Opened(shard));
  absl::StatusOr<std::string> bytes = file->ReadAt(offset, size);
  if (bytes.ok()) return bytes;
  absl::MutexLock lock(&mu_);
  if (shards_[shard].file == file) Close(shard);
  return bytes;
}

absl::StatusOr<OpenShards::File> OpenShards::Opened(int shard) {
  {
    absl::MutexLock lock(&mu_);
    const Shard& known = shards_[shard];
    if (known.file != nullptr) {
      uses_.splice(uses_.begin(), uses_, known.use);
      return known.file;
    }
  }
  // Without the lock: to open a file of a slow mount holds up nobody who reads another one.
  ASSIGN_OR_RETURN(SampleFile opened, OpenListed(shards_[shard].path, shards_[shard].size));
  File file = std::make_shared<const SampleFile>(std::move(opened));
  absl::MutexLock lock(&mu_);
  if (shards_[shard].file == nullptr) Keep(shard, std::move(file));
  return shards_[shard].file;
}

void OpenShards::Keep(int shard, File file) {
  if (uses_.size() >= open_most_) Close(uses_.back());
  uses_.push_front(shard);
  shards_[shard].file = std::move(file);
  shards_[shard].use = uses_.begin();
}

void OpenShards::Close(int shard) {
  uses_.erase(shards_[shard].use);
  shards_[shard].file = nullptr;
}

}  // namespace mimeo
