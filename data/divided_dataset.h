// Divides a data set into what a job trains on and what it is judged by.
//
// An image is held out by a digest of its bytes (data/content_digest.h). So images of equal bytes are on one side,
// whatever their names; more images move none from one side to the other; and each host divides alike. To divide costs
// one more look into each file: its size and its two ends are read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/stored_dataset.h"

namespace mimeo {

// A value; any thread may call it. The parts share the data set, which lives as long as one of them.
class DividedDataset {
 public:
  // `share`: how much of it is held out, in (0, 1). `progress`, where it is not null, counts the images.
  //
  // InvalidArgument: no image is held out, or none is left; the message has the numbers, and of the former the share
  // that would hold one out. Other errors are those of ContentDigests.
  static absl::StatusOr<DividedDataset> Divide(std::unique_ptr<const StoredDataset> whole, double share,
                                               Progress* progress = nullptr);

  // Each call makes a data set of its own that reads the same files. Its samples are in the order of the whole, and its
  // classes have the numbers of the whole, even where it has no image of one. Its digest covers the names, sizes and
  // content digests of the whole, and which part it is. What the whole leaves out is in the contents of the training
  // part alone.
  std::unique_ptr<Dataset> Training() const;
  std::unique_ptr<Dataset> HeldOut() const;

 private:
  struct Part {
    std::vector<int64_t> samples;  // of the whole, ascending
    DataContents contents;
    std::string digest;
  };
  class PartDataset;
  explicit DividedDataset(std::unique_ptr<const StoredDataset> whole) : whole_(std::move(whole)) {}
  std::unique_ptr<Dataset> Open(const std::shared_ptr<const Part>& part) const;

  std::shared_ptr<const StoredDataset> whole_;
  std::shared_ptr<const Part> training_;
  std::shared_ptr<const Part> held_out_;
};

}  // namespace mimeo
