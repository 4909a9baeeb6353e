// A data set as it lies on a disk: what Dataset::Open gives, and what can be asked about its encoded bytes besides.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/open_shards.h"

namespace mimeo {

// Where a sample lies, and what was found about it when it was listed.
struct StoredSample {
  std::string name;
  int64_t size = 0;  // in bytes
  int shard = -1;    // -1: a file of its own
  int64_t offset = 0;
  int label = -1;
  bool readable = true;  // false: its mode says that this user may not read it
};

// Threads and errors are those of Dataset.
class StoredDataset final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<StoredDataset>> Open(const std::string& path, Progress* progress = nullptr,
                                                             const std::string& members = "");
  // `shards` is null where each sample is a file of its own below `root`.
  StoredDataset(std::string root, std::vector<StoredSample> samples, std::unique_ptr<OpenShards> shards,
                std::vector<std::string> class_names, DataContents contents);

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::string& name(int64_t sample) const override { return samples_[sample].name; }
  absl::StatusOr<std::string> Read(int64_t sample) const override;
  int label(int64_t sample) const override { return samples_[sample].label; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  const DataContents& contents() const override { return contents_; }
  const std::string& digest() const override { return digest_; }

  const std::string& root() const { return root_; }
  bool in_tars() const { return shards_ != nullptr; }
  int64_t bytes(int64_t sample) const { return samples_[sample].size; }  // when it was listed
  // The first and the last `end_bytes` bytes of a sample, one behind the other; all of its bytes where there are no
  // more than both. However large the sample is, only these are read. Errors are those of Read.
  absl::StatusOr<std::string> ReadEnds(int64_t sample, int64_t end_bytes) const;

 private:
  using Piece = std::pair<int64_t, int64_t>;  // offset in the sample, bytes
  absl::StatusOr<std::string> ReadPieces(const StoredSample& sample, const std::vector<Piece>& pieces) const;

  const std::string root_;
  const std::vector<StoredSample> samples_;
  const std::unique_ptr<OpenShards> shards_;
  const std::vector<std::string> class_names_;
  const DataContents contents_;
  std::string digest_;
};

}  // namespace mimeo
