#include "store/log_file.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/endian.h"

namespace mimeo {
namespace {

constexpr int64_t kBlockBytes = 32768;
constexpr int64_t kHeaderBytes = 7;  // checksum 4, length 2, type 1
enum Type : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

// Eight tables: eight bytes a step (Kounavis and Berry, "A systematic approach to building high performance,
// software-based, CRC generators", 2005).
CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][byte] = crc;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < 8; ++k) tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
  }
  return tables;
}

// RocksDB stores checksums rotated and shifted, because a checksum of bytes that hold checksums would be weak.
uint32_t Mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

struct Piece {
  Type type = kFull;
  absl::string_view bytes;
  int64_t end = 0;
};

int64_t SizeOf(absl::string_view file) { return static_cast<int64_t>(file.size()); }
int64_t LeftInBlock(int64_t at) { return kBlockBytes - at % kBlockBytes; }
int64_t LengthAt(absl::string_view file, int64_t at) { return LoadLittle16(file.data() + at + 4); }

bool HasChecksum(absl::string_view file, int64_t at, int64_t length) {
  return Mask(Crc32c(file.substr(at + 6, 1 + length))) == LoadLittle32(file.data() + at);
}

// The whole piece at `at`, if there is one.
std::optional<Piece> PieceAt(absl::string_view file, int64_t at) {
  if (LeftInBlock(at) < kHeaderBytes || SizeOf(file) - at < kHeaderBytes) return std::nullopt;
  const uint8_t type = static_cast<uint8_t>(file[at + 6]);
  if (type < kFull || type > kLast) return std::nullopt;
  const int64_t length = LengthAt(file, at);
  if (kHeaderBytes + length > std::min(LeftInBlock(at), SizeOf(file) - at)) return std::nullopt;
  if (!HasChecksum(file, at, length)) return std::nullopt;
  return Piece{static_cast<Type>(type), file.substr(at + kHeaderBytes, length), at + kHeaderBytes + length};
}

// The first whole piece that begins at `at` or later; the file's size when there is none.
int64_t NextPiece(absl::string_view file, int64_t at) {
  while (at < SizeOf(file) && !PieceAt(file, at).has_value()) ++at;
  return at;
}

// Where the zeros begin that reach to the end of the file.
int64_t ZerosBegin(absl::string_view file) {
  const size_t last = file.find_last_not_of('\0');
  return last == absl::string_view::npos ? 0 : static_cast<int64_t>(last) + 1;
}

// Why what begins at `at`, where no whole piece is, cannot be the beginning of one that a crash cut off. Empty when it
// can.
std::string WhyNotTorn(absl::string_view file, int64_t at) {
  const int64_t size = SizeOf(file);
  const int64_t zeros = ZerosBegin(file);
  if (zeros <= at) return "";  // the file was made longer, and nothing was written
  const int64_t next = NextPiece(file, at + 1);
  if (next < size) return absl::StrCat("no whole record begins here, though one follows at byte ", next);
  if (size - at < kHeaderBytes || zeros - at < kHeaderBytes) return "";
  const uint8_t type = static_cast<uint8_t>(file[at + 6]);
  const int64_t length = LengthAt(file, at);
  if (type < kFull || type > kLast) return absl::StrCat("a record of type ", type, ", which there is not");
  if (kHeaderBytes + length > LeftInBlock(at)) {
    return absl::StrCat("a record of ", length, " bytes, which its block cannot hold");
  }
  if (at + kHeaderBytes + length > size) {
    const bool whole = HasChecksum(file, at, size - at - kHeaderBytes);
    return whole ? absl::StrCat("the length of a record, ", length, ", contradicts its checksum") : "";
  }
  // All its bytes are there: those that were not written are zero, from the beginning of a sector on.
  constexpr int64_t kSectorBytes = 512;
  const int64_t sector = (zeros + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
  return sector < at + kHeaderBytes + length ? "" : "the checksum of a record does not match";
}

// The first byte at or behind `at` where a piece may begin: the last bytes of a block, too few for a header, are passed
// over.
int64_t PassTrailer(int64_t at) { return LeftInBlock(at) < kHeaderBytes ? at + LeftInBlock(at) : at; }

LogVerdict Damaged(int64_t whole, int64_t at, int64_t size, absl::string_view why) {
  return {LogVerdict::End::kDamaged, whole, absl::StrCat("at byte ", at, " of ", size, ": ", why)};
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes, uint32_t before) {
  static const auto* const tables = new CrcTables(MakeCrcTables());
  const CrcTables& t = *tables;
  uint32_t crc = ~before;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const uint32_t low = crc ^ LoadLittle32(bytes.data() + i);
    const uint32_t high = LoadLittle32(bytes.data() + i + 4);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^ t[3][high & 0xff] ^
          t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^ t[0][high >> 24];
  }
  for (; i < bytes.size(); ++i) crc = t[0][(crc ^ static_cast<uint8_t>(bytes[i])) & 0xff] ^ (crc >> 8);
  return ~crc;
}

LogVerdict CheckLog(absl::string_view file, int64_t synced) {
  const int64_t size = SizeOf(file);
  int64_t at = 0, whole = 0;
  bool inside = false;  // of a record of several pieces
  std::string cut;      // why the rest is not a record
  while (true) {
    const int64_t begin = PassTrailer(at);
    const absl::string_view trailer = file.substr(std::min(at, size), begin - at);
    if (trailer.find_first_not_of('\0') != absl::string_view::npos) {
      return Damaged(whole, at, size, "a block's unused end is not zero");
    }
    if (begin >= size) break;
    const std::optional<Piece> piece = PieceAt(file, begin);
    if (!piece.has_value()) {
      const std::string why = WhyNotTorn(file, begin);
      if (!why.empty()) return Damaged(whole, begin, size, why);
      at = begin;
      cut = "the last record is cut off";
      break;
    }
    const bool continues = piece->type == kMiddle || piece->type == kLast;
    if (continues != inside) return Damaged(whole, begin, size, "the pieces of a record are out of order");
    inside = piece->type == kFirst || piece->type == kMiddle;
    at = piece->end;
    if (!inside) whole = at;
  }
  if (whole < synced) {
    return Damaged(whole, whole, size,
                   absl::StrCat("the last whole record ends here, but ", synced, " bytes had been written safely"));
  }
  if (inside || !cut.empty()) return {LogVerdict::End::kTorn, whole, cut.empty() ? "the last record is cut off" : cut};
  return {LogVerdict::End::kClean, whole, ""};
}

LogSalvage SalvageLog(absl::string_view file) {
  LogSalvage salvage;
  const int64_t size = ZerosBegin(file);
  std::string record;
  int64_t whole = 0;  // end of the last whole record
  int64_t begin = 0;  // of the record that is being read
  bool inside = false;
  for (int64_t at = PassTrailer(0); at < size;) {
    const std::optional<Piece> piece = PieceAt(file, at);
    if (!piece.has_value()) {
      inside = false;
      at = PassTrailer(NextPiece(file, at + 1));
      continue;
    }
    const bool starts = piece->type == kFull || piece->type == kFirst;
    if (starts) {
      record.clear();
      begin = at;
    }
    if (starts || inside) {
      record.append(piece->bytes.data(), piece->bytes.size());
      inside = true;
      if (piece->type == kFull || piece->type == kLast) {
        if (begin > PassTrailer(whole)) salvage.gaps.push_back({whole, begin});
        salvage.records.push_back(record);
        whole = piece->end;
        inside = false;
      }
    }
    at = PassTrailer(piece->end);
  }
  if (whole < size) salvage.gaps.push_back({whole, size});
  return salvage;
}

std::string WriteLog(const std::vector<std::string>& records) {
  std::string file;
  for (const std::string& record : records) {
    absl::string_view left = record;
    for (bool first = true; first || !left.empty(); first = false) {
      file.resize(PassTrailer(SizeOf(file)), '\0');
      const int64_t length = std::min(SizeOf(left), LeftInBlock(SizeOf(file)) - kHeaderBytes);
      const bool last = length == SizeOf(left);
      const Type type = first ? (last ? kFull : kFirst) : (last ? kLast : kMiddle);
      const std::string checked = absl::StrCat(std::string(1, static_cast<char>(type)), left.substr(0, length));
      char header[kHeaderBytes - 1];
      StoreLittle32(header, Mask(Crc32c(checked)));
      StoreLittle16(header + 4, static_cast<uint16_t>(length));
      file.append(header, sizeof(header));
      file.append(checked);
      left.remove_prefix(length);
    }
  }
  return file;
}

}  // namespace mimeo
