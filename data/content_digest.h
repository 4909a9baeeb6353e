// Digests of what images hold, by which equal images are found, and by which a part of a data set is held out, without
// reading all of their bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/progress.h"
#include "data/stored_dataset.h"

namespace mimeo {

// What is read of each end of an image.
inline constexpr int64_t kDigestedEndBytes = 4 << 10;

// The first 128 bits of the SHA-256 of an image's size (8 bytes, the lowest first) and of its ends as
// StoredDataset::ReadEnds gives them. Images of the same bytes have the same one. Of images that differ, those alone
// have the same one that have equal size and ends: what is between is not looked at. Pure.
absl::uint128 ContentDigest(int64_t size, absl::string_view ends);

// Of every sample by its number; absent: this user may not read it. Some threads of its own read, because a file of a
// mount takes long to open; it blocks until all is read. `progress`, where it is not null, counts the samples. Errors
// are those of Dataset::Read but DataLoss, and name the sample.
absl::StatusOr<std::vector<std::optional<absl::uint128>>> ContentDigests(const StoredDataset& dataset,
                                                                         Progress* progress);

// Whether the image is of the part of a data set that is held out: where the first 64 bits of its digest are below that
// share of all numbers of 64 bits. So it depends on nothing but the image and the share. Pure.
bool IsHeldOut(absl::uint128 digest, double share);

// The least share of two digits by which it would be, such as 0.0032 or 0.13. Written into a message and read again it
// is the same number. Pure.
double LeastShare(absl::uint128 digest);

}  // namespace mimeo
