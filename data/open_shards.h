// The tars of a data set, of which as many stay open as the process can spare descriptors for. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "data/sample_file.h"

namespace mimeo {

// The file at `path`, which had `size` bytes when it was listed. Unavailable: it cannot be opened now or has another
// size, which may pass.
absl::StatusOr<SampleFile> OpenListed(const std::string& path, int64_t size);

// An open tar can be read when its name is gone. The one that was read least recently is closed when there are too
// many, and is opened again by its name.
class OpenShards {
 public:
  // `open_most`: how many stay open, at least 1.
  explicit OpenShards(size_t open_most) : open_most_(open_most) {}
  // A quarter of the descriptors that this process may have: a job has up to three data sets, and needs some itself.
  static size_t OpenMost();

  // Returns its number, from 0. Call it before the first read, from one thread.
  int Add(SampleFile file) ABSL_LOCKS_EXCLUDED(mu_);
  int size() const { return static_cast<int>(shards_.size()); }

  // Of a mount that went and came back the open file stays dead: after an error the next read opens it by its name. The
  // errors are those of OpenListed and SampleFile::ReadAt.
  absl::StatusOr<std::string> ReadAt(int shard, int64_t offset, int64_t size) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using File = std::shared_ptr<const SampleFile>;
  struct Shard {
    std::string path;
    int64_t size = 0;
    File file;                     // null: to be opened
    std::list<int>::iterator use;  // in uses_, while it is open
  };
  absl::StatusOr<File> Opened(int shard) ABSL_LOCKS_EXCLUDED(mu_);
  void Keep(int shard, File file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Close(int shard) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t open_most_;
  absl::Mutex mu_;
  std::vector<Shard> shards_;                 // paths and sizes never change once they are there; the rest: mu_
  std::list<int> uses_ ABSL_GUARDED_BY(mu_);  // those that are open; the one read last stands first
};

}  // namespace mimeo
