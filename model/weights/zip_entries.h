// The entries of a zip archive that are stored without compression, as torch.save writes them (APPNOTE.TXT 6.3.9, with
// zip64). Pure functions over the archive's bytes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// By name, views into the archive. nullopt: the entry is compressed or encrypted.
using ZipEntries = std::map<std::string, std::optional<absl::string_view>>;

// DataLoss: there is no central directory, or an entry lies outside the file, as when it is truncated.
absl::StatusOr<ZipEntries> ReadZipEntries(absl::string_view archive);

}  // namespace mimeo
