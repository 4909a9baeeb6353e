#include "data/stored_dataset.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "data/sample_file.h"

namespace mimeo {

StoredDataset::StoredDataset(std::string root, std::vector<StoredSample> samples, std::unique_ptr<OpenShards> shards,
                             std::vector<std::string> class_names, DataContents contents)
    : root_(std::move(root)),
      samples_(std::move(samples)),
      shards_(std::move(shards)),
      class_names_(std::move(class_names)),
      contents_(std::move(contents)) {
  Sha256Stream digest;
  for (const StoredSample& sample : samples_) {
    digest.Update(sample.name);
    digest.Update(absl::StrCat(absl::string_view("\0", 1), sample.size, "\n"));
  }
  for (const unsigned char byte : digest.Finish()) absl::StrAppend(&digest_, absl::Hex(byte, absl::kZeroPad2));
}

absl::StatusOr<std::string> StoredDataset::Read(int64_t sample) const {
  const StoredSample& stored = samples_[sample];
  if (stored.size > limits::kImageFileBytes) {
    return absl::DataLossError(absl::StrCat(stored.size, " bytes; at most ", limits::kImageFileBytes));
  }
  return ReadPieces(stored, {{0, stored.size}});
}

absl::StatusOr<std::string> StoredDataset::ReadEnds(int64_t sample, int64_t end_bytes) const {
  const StoredSample& stored = samples_[sample];
  if (stored.size <= 2 * end_bytes) return ReadPieces(stored, {{0, stored.size}});
  return ReadPieces(stored, {{0, end_bytes}, {stored.size - end_bytes, end_bytes}});
}

absl::StatusOr<std::string> StoredDataset::ReadPieces(const StoredSample& sample,
                                                      const std::vector<Piece>& pieces) const {
  std::optional<SampleFile> own;
  if (sample.shard < 0) {
    absl::StatusOr<SampleFile> file = OpenListed(absl::StrCat(root_, "/", sample.name), sample.size);
    if (!file.ok() && !sample.readable) return absl::DataLossError("its mode lets this user not read it");
    if (!file.ok()) return file.status();
    own.emplace(*std::move(file));
  }
  std::string all;
  for (const auto& [offset, bytes] : pieces) {
    ASSIGN_OR_RETURN(std::string piece, own.has_value() ? own->ReadAt(offset, bytes)
                                                        : shards_->ReadAt(sample.shard, sample.offset + offset, bytes));
    all = all.empty() ? std::move(piece) : all + piece;
  }
  return all;
}

}  // namespace mimeo
