// Reads the files to which RocksDB appends records, its logs and manifests, and does so more strictly than RocksDB.
// Pure functions.
//
// Such a file consists of blocks of 32 KiB. A record is one piece or several, and no piece crosses the end of a block.
// A piece is a checksum, a length, a type and the bytes (RocksDB 7.8.3, db/log_format.h). When RocksDB meets a damaged
// length, a type that it does not know or a sector of zeros, it takes that for the end of the file or passes over the
// rest of the block, in silence (db/log_reader.cc). Here only what a crash in the middle of a write can leave is a torn
// end, and everything else is damage.
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

// What is wrong with a file. So many of its bytes as `synced` are known to have been on disk (store/ledger.h): a
// problem before that is damage, even where it looks like a torn end.
LogVerdict CheckLog(absl::string_view file, int64_t synced);

// Every whole record of a damaged file, also those behind the damage, and the gaps between them.
struct LogSalvage {
  struct Gap {
    int64_t begin = 0;  // bytes of the file
    int64_t end = 0;
  };
  std::vector<std::string> records;
  std::vector<Gap> gaps;
};
LogSalvage SalvageLog(absl::string_view file);

// The bytes of a file that holds these records, as RocksDB would read them.
std::string WriteLog(const std::vector<std::string>& records);

// The checksum CRC-32C (Castagnoli; RFC 3720, appendix B.4). For bytes in pieces, `before` is the checksum of the
// pieces so far.
uint32_t Crc32c(absl::string_view bytes, uint32_t before = 0);

}  // namespace mimeo
