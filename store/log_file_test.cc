#include "store/log_file.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using End = LogVerdict::End;

// Records of all sorts: empty, small, one that fills a block but for a trailer, one of three pieces.
std::vector<std::string> Records() {
  std::vector<std::string> records = {"", "a", "first"};
  records.push_back(std::string(32768 - 7 - 1 - 8 - 12 - 7 - 3, 'b'));  // 3 bytes of the block are left
  records.push_back(std::string(70000, 'c'));
  for (int i = 0; i < 20; ++i) records.push_back(absl::StrCat("record ", i));
  return records;
}

std::string Described(const LogVerdict& verdict) {
  return absl::StrCat(static_cast<int>(verdict.end), " after ", verdict.whole, ": ", verdict.problem);
}

TEST(LogFileTest, Crc32cIsThatOfTheStandard) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau) << "RFC 3720 B.4";
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), 0xe3069283u);
}

TEST(LogFileTest, WhatIsWrittenIsCleanAndIsReadBack) {
  const std::string file = WriteLog(Records());
  const LogVerdict verdict = CheckLog(file, file.size());
  EXPECT_EQ(verdict.end, End::kClean) << verdict.problem;
  EXPECT_EQ(verdict.whole, static_cast<int64_t>(file.size()));
  const LogSalvage salvage = SalvageLog(file);
  EXPECT_EQ(salvage.records, Records());
  EXPECT_TRUE(salvage.gaps.empty());
  EXPECT_EQ(CheckLog("", 0).end, End::kClean);
  EXPECT_EQ(CheckLog("", 1).end, End::kDamaged);
}

TEST(LogFileTest, EveryCutIsTornUnlessItWasSynced) {
  const std::string file = WriteLog(Records());
  const int64_t size = static_cast<int64_t>(file.size());
  for (int64_t cut = size - 700; cut < size; ++cut) {
    const LogVerdict verdict = CheckLog(file.substr(0, cut), 0);
    ASSERT_NE(verdict.end, End::kDamaged) << cut << " " << Described(verdict);
    ASSERT_EQ(verdict.end == End::kClean, verdict.whole == cut) << cut << " " << Described(verdict);
    ASSERT_EQ(CheckLog(file.substr(0, cut), size).end, End::kDamaged) << cut;
  }
}

TEST(LogFileTest, AFileThatWasMadeLongerAndNotWrittenIsTorn) {
  std::string file = WriteLog({"one", std::string(3000, 'x')});
  const LogVerdict grown = CheckLog(file + std::string(8192, '\0'), file.size());
  EXPECT_EQ(grown.end, End::kTorn) << grown.problem;
  EXPECT_EQ(grown.whole, static_cast<int64_t>(file.size()));
  for (size_t i = 1024; i < file.size(); ++i) file[i] = '\0';
  const LogVerdict half = CheckLog(file, 10);
  EXPECT_EQ(half.end, End::kTorn) << half.problem;
  EXPECT_EQ(half.whole, 10);
}

// The last record too, and whatever the byte means: checksum, length, type or payload.
TEST(LogFileTest, EveryFlippedByteIsDamage) {
  const std::string good = WriteLog(Records());
  for (size_t at = 0; at < good.size();
       at += at < 40 || at + 600 > good.size() || at % 32768 < 40 || at % 32768 > 32728 ? 1 : 997) {
    std::string file = good;
    file[at] = static_cast<char>(file[at] ^ 0x41);
    const LogVerdict verdict = CheckLog(file, 0);
    ASSERT_EQ(verdict.end, End::kDamaged) << at << " " << Described(verdict);
    ASSERT_LE(verdict.whole, static_cast<int64_t>(at));
  }
}

TEST(LogFileTest, AZeroedPartIsDamage) {
  const std::string good = WriteLog(Records());
  for (size_t at = 0; at + 1000 < good.size(); at += 3000) {
    std::string file = good;
    std::fill(file.begin() + at, file.begin() + at + 600, '\0');
    const LogVerdict verdict = CheckLog(file, 0);
    EXPECT_EQ(verdict.end, End::kDamaged) << at << " " << Described(verdict);
  }
}

TEST(LogFileTest, SalvageLosesTheDamagedRecordsOnly) {
  std::vector<std::string> records;
  for (int i = 0; i < 100; ++i) records.push_back(absl::StrCat("record ", i, std::string(i, 'x')));
  std::string file = WriteLog(records);
  const size_t at = file.find("record 50");
  file[at] = '?';
  const LogSalvage salvage = SalvageLog(file);
  records.erase(records.begin() + 50);
  EXPECT_EQ(salvage.records, records);
  ASSERT_EQ(salvage.gaps.size(), 1u);
  EXPECT_EQ(salvage.gaps[0].begin, static_cast<int64_t>(at) - 7);
  EXPECT_EQ(salvage.gaps[0].end, static_cast<int64_t>(file.find("record 51")) - 7);
}

}  // namespace
}  // namespace mimeo
