// The record format of RocksDB's write-ahead logs and manifests, read more strictly than RocksDB does. Pure functions.
//
// A file is blocks of 32 KiB; a record is one piece, or several that do not cross blocks: checksum, length, type,
// bytes. RocksDB takes a damaged length, a type it does not know or a zeroed sector for the end of the file, or passes
// over the rest of the block, in silence (7.8.3, db/log_reader.cc). Here only what a crash in the middle of a write
// leaves is a torn end; anything else is damage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

struct LogVerdict {
  enum class End {
    kClean,    // the last record is whole and the last thing in the file
    kTorn,     // behind `whole` is the beginning of one record and nothing else: its write was never finished
    kDamaged,  // `problem` says what and where
  };
  End end = End::kClean;
  int64_t whole = 0;    // bytes up to the end of the last record before any problem
  std::string problem;  // "bytes 4096 to 8191: ..."
};

// `synced`: so many bytes are known to have been on disk: a problem before them is damage, also if it looks torn.
LogVerdict CheckLog(absl::string_view file, int64_t synced);

// Every whole record of a damaged file, also of those behind the damage, and the gaps between them.
struct LogSalvage {
  struct Gap {
    int64_t begin = 0;  // bytes of the file
    int64_t end = 0;
  };
  std::vector<std::string> records;
  std::vector<Gap> gaps;
};
LogSalvage SalvageLog(absl::string_view file);

// A file of these records.
std::string WriteLog(const std::vector<std::string>& records);

// CRC-32C (Castagnoli), RFC 3720 B.4.
uint32_t Crc32c(absl::string_view bytes, uint32_t before = 0);

}  // namespace mimeo
