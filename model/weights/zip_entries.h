// The entries of a zip archive that are stored without compression, as torch.save writes them (APPNOTE.TXT 6.3.9, with
// zip64). Pure functions over the archive's bytes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Look into the archive. nullopt: the entry is compressed or encrypted.
using ZipEntries = std::map<std::string, std::optional<absl::string_view>>;

// By name. DataLoss: no central directory, or an entry outside the file: truncated.
absl::StatusOr<ZipEntries> ReadZipEntries(absl::string_view archive);

}  // namespace mimeo
