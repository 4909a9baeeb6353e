#include "store/ledger.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

TEST(LedgerTest, SaysWhatWasNotedAndNotForgotten) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Create(dir.path(), {{"000001.log", 5}}));
  ledger->Note("000002.log", 70);
  ledger->Note("MANIFEST-000001", 9);
  ledger->Note("000002.log", 80);
  ASSERT_OK(ledger->Forget("000001.log"));
  ASSERT_OK_AND_ASSIGN(const Ledger::Lengths lengths, Ledger::Read(dir.path()));
  EXPECT_EQ(lengths, (Ledger::Lengths{{"000002.log", 80}, {"MANIFEST-000001", 9}}));
}

TEST(LedgerTest, OneDamagedCopyIsReplacedByTheOther) {
  const TempDir dir;
  {
    ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Create(dir.path(), {}));
    ledger->Note("000002.log", 70);
    ledger->Note("000002.log", 80);
  }
  const std::string path = JoinPath(dir.path(), Ledger::kFileName);
  ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(path));
  for (const size_t at : {size_t{3}, size_t{30}, size_t{4096 + 3}, size_t{4096 + 30}}) {
    std::string bytes = good;
    bytes[at] = '?';
    ASSERT_OK(WriteFileAtomic(path, bytes));
    ASSERT_OK_AND_ASSIGN(const Ledger::Lengths lengths, Ledger::Read(dir.path()));
    EXPECT_GE(lengths.at("000002.log"), 70);
  }
  ASSERT_OK(WriteFileAtomic(path, std::string(8192, '?')));
  EXPECT_THAT(Ledger::Read(dir.path()).status(), StatusIs(absl::StatusCode::kNotFound, "neither copy"));
}

// What was forgotten is in neither copy: the older one may be all that is left.
TEST(LedgerTest, AForgottenFileIsInNeitherCopy) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Create(dir.path(), {{"000001.log", 5}}));
  ASSERT_OK(ledger->Forget("000001.log"));
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(JoinPath(dir.path(), Ledger::kFileName)));
  EXPECT_EQ(bytes.find("000001.log"), std::string::npos);
}

TEST(LedgerTest, OfTooManyFilesTheNewestAreKept) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Create(dir.path(), {}));
  for (int i = 1000; i < 2000; ++i) ledger->Note(absl::StrCat("00", i, ".log"), i);
  ASSERT_OK_AND_ASSIGN(const Ledger::Lengths lengths, Ledger::Read(dir.path()));
  EXPECT_EQ(lengths.count("001999.log"), 1u);
  EXPECT_EQ(lengths.count("001000.log"), 0u);
}

}  // namespace
}  // namespace mimeo
