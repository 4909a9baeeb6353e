// The archive of a torch.save file from anywhere. Each entry lies inside the file, and there are no more entries than
// the file has room for.
#include "model/weights/zip_entries.h"

#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(zip) {
  const absl::StatusOr<ZipEntries> entries = ReadZipEntries(bytes);
  if (!entries.ok()) return CheckRefusal(entries.status(), {absl::StatusCode::kDataLoss}, 512);
  constexpr size_t kDirectoryEntryBytes = 46;
  MIMEO_CHECK(entries->size() <= bytes.size() / kDirectoryEntryBytes, entries->size(), " entries");
  for (const auto& [name, entry] : *entries) {
    if (!entry.has_value()) continue;
    MIMEO_CHECK(entry->begin() >= bytes.begin() && entry->end() <= bytes.end(), name);
  }
}

}  // namespace mimeo::fuzz
