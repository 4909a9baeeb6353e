#include "model/weights/zip_entries.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50, kCentral = 0x02014b50,
                   kLocal = 0x04034b50;
constexpr uint64_t kEndBytes = 22, kLocator64Bytes = 20, kEnd64Bytes = 56, kCentralBytes = 46, kLocalBytes = 30;
constexpr uint64_t kCommentBytes = 65535;

// Little-endian reads; past the end they give 0, and Has says so beforehand.
class Bytes {
 public:
  explicit Bytes(absl::string_view bytes) : bytes_(bytes) {}
  bool Has(uint64_t at, uint64_t count) const { return at <= bytes_.size() && count <= bytes_.size() - at; }
  uint64_t Number(uint64_t at, int width) const {
    uint64_t value = 0;
    if (!Has(at, width)) return 0;
    for (int i = width - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  absl::string_view Part(uint64_t at, uint64_t count) const { return bytes_.substr(at, count); }
  uint64_t size() const { return bytes_.size(); }

 private:
  absl::string_view bytes_;
};

absl::Status Truncated(const char* what) {
  return absl::DataLossError(absl::StrCat("not a whole zip archive: ", what, "; it may be truncated"));
}

struct Directory {
  uint64_t begin = 0;
  uint64_t entries = 0;
};

absl::StatusOr<Directory> FindDirectory(const Bytes& bytes) {
  if (bytes.size() < kEndBytes) return Truncated("no end record");
  const uint64_t last = bytes.size() - kEndBytes, first = last > kCommentBytes ? last - kCommentBytes : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (bytes.Number(at, 4) != kEnd) continue;
    Directory directory = {bytes.Number(at + 16, 4), bytes.Number(at + 10, 2)};
    if (at >= kLocator64Bytes && bytes.Number(at - kLocator64Bytes, 4) == kLocator64) {
      const uint64_t end64 = bytes.Number(at - kLocator64Bytes + 8, 8);
      if (!bytes.Has(end64, kEnd64Bytes) || bytes.Number(end64, 4) != kEnd64) return Truncated("no zip64 end record");
      directory = {bytes.Number(end64 + 48, 8), bytes.Number(end64 + 32, 8)};
    }
    return directory;
  }
  return Truncated("no end record");
}

struct Entry {
  std::string name;
  uint64_t method = 0, flags = 0, size = 0, header = 0;
};

// Sizes and offsets of 2^32 - 1 stand in the extra field with number 1, in this order: size, compressed size, offset.
void ReadZip64(const Bytes& bytes, uint64_t at, uint64_t extra_bytes, uint64_t compressed, Entry* entry) {
  for (const uint64_t end = at + extra_bytes; at + 4 <= end; at += 4 + bytes.Number(at + 2, 2)) {
    if (bytes.Number(at, 2) != 1) continue;
    uint64_t value = at + 4;
    if (entry->size == 0xffffffff) entry->size = bytes.Number(value, 8), value += 8;
    if (compressed == 0xffffffff) value += 8;
    if (entry->header == 0xffffffff) entry->header = bytes.Number(value, 8);
    return;
  }
}

absl::StatusOr<std::optional<absl::string_view>> BytesOf(const Bytes& bytes, const Entry& entry) {
  if (entry.method != 0 || (entry.flags & 1) != 0) return std::nullopt;
  if (!bytes.Has(entry.header, kLocalBytes) || bytes.Number(entry.header, 4) != kLocal) {
    return Truncated("an entry has no header");
  }
  // Name and extra field may be longer here than in the directory: torch.save pads them so that data is aligned.
  const uint64_t begin =
      entry.header + kLocalBytes + bytes.Number(entry.header + 26, 2) + bytes.Number(entry.header + 28, 2);
  if (!bytes.Has(begin, entry.size)) return Truncated("an entry ends after the file");
  return bytes.Part(begin, entry.size);
}

}  // namespace

absl::StatusOr<ZipEntries> ReadZipEntries(absl::string_view archive) {
  const Bytes bytes(archive);
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  ZipEntries entries;
  uint64_t at = directory.begin;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (!bytes.Has(at, kCentralBytes) || bytes.Number(at, 4) != kCentral) return Truncated("its directory is cut off");
    const uint64_t name_bytes = bytes.Number(at + 28, 2), extra_bytes = bytes.Number(at + 30, 2),
                   comment_bytes = bytes.Number(at + 32, 2);
    const uint64_t compressed = bytes.Number(at + 20, 4);
    if (!bytes.Has(at + kCentralBytes, name_bytes + extra_bytes)) return Truncated("its directory is cut off");
    Entry entry = {std::string(bytes.Part(at + kCentralBytes, name_bytes)), bytes.Number(at + 10, 2),
                   bytes.Number(at + 8, 2), bytes.Number(at + 24, 4), bytes.Number(at + 42, 4)};
    ReadZip64(bytes, at + kCentralBytes + name_bytes, extra_bytes, compressed, &entry);
    at += kCentralBytes + name_bytes + extra_bytes + comment_bytes;
    if (absl::EndsWith(entry.name, "/")) continue;
    ASSIGN_OR_RETURN(entries[entry.name], BytesOf(bytes, entry));
  }
  return entries;
}

}  // namespace mimeo
