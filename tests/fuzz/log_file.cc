// A log of RocksDB that a disk has damaged. The whole part of it is clean by itself, salvage loses no record of a clean
// file, and what is written anew of the salvaged records is a clean file with the same records.
#include "store/log_file.h"

#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(log_file) {
  using End = LogVerdict::End;
  const auto size = static_cast<int64_t>(bytes.size());
  for (const int64_t synced : {int64_t{0}, size / 2, size}) {
    const LogVerdict verdict = CheckLog(bytes, synced);
    MIMEO_CHECK(verdict.whole >= 0 && verdict.whole <= size, verdict.whole);
    MIMEO_CHECK((verdict.end == End::kClean) == verdict.problem.empty(), verdict.problem);
    MIMEO_CHECK(verdict.end != End::kClean || SalvageLog(bytes).gaps.empty(), "a clean file has gaps");
    const LogVerdict whole = CheckLog(bytes.substr(0, verdict.whole), 0);
    MIMEO_CHECK(whole.end == End::kClean, whole.problem);
  }
  const LogSalvage salvage = SalvageLog(bytes);
  for (const LogSalvage::Gap& gap : salvage.gaps) {
    MIMEO_CHECK(gap.begin >= 0 && gap.begin <= gap.end && gap.end <= size, gap.begin, " to ", gap.end);
  }
  const std::string written = WriteLog(salvage.records);
  const LogVerdict verdict = CheckLog(written, static_cast<int64_t>(written.size()));
  MIMEO_CHECK(verdict.end == End::kClean, verdict.problem);
  MIMEO_CHECK(SalvageLog(written).records == salvage.records, salvage.records.size(), " records");
}

}  // namespace mimeo::fuzz
