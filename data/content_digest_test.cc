#include "data/content_digest.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// A digest of which the first 64 bits are `high`.
absl::uint128 DigestAt(uint64_t high) { return absl::MakeUint128(high, 7); }

class ContentDigestTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) { std::ofstream(JoinPath(dir_.path(), name)) << bytes; }
  std::unique_ptr<StoredDataset> Open() const { return StoredDataset::Open(dir_.path()).value(); }

  TempDir dir_;
};

TEST_F(ContentDigestTest, IsTheSha256OfSizeAndEnds) {
  const std::string size("\x03\x01\0\0\0\0\0\0", 8);
  const std::string digest = Sha256(size + "ends");
  absl::uint128 number = 0;
  for (int i = 0; i < 16; ++i) number = number * 256 + static_cast<unsigned char>(digest[i]);
  EXPECT_EQ(ContentDigest(0x103, "ends"), number);
}

TEST_F(ContentDigestTest, EqualBytesHaveOneDigestAndWhatIsBetweenTheEndsIsNotLookedAt) {
  const std::string large = std::string(4096, 'a') + std::string(999, 'b') + std::string(4096, 'c');
  std::string first = large, middle = large, last = large;
  first[4095] = 'x', middle[4500] = 'x', last[4096 + 999] = 'x';
  Write("0.jpg", large);
  Write("1.jpg", large);
  Write("2.jpg", middle);
  Write("3.jpg", first);
  Write("4.jpg", last);
  Write("5.jpg", std::string(4096, 'a') + std::string(998, 'b') + std::string(4096, 'c'));
  Write("6.jpg", "small");
  Write("7.jpg", "smell");
  Write("8.jpg", "");
  ASSERT_OK_AND_ASSIGN(const auto digests, ContentDigests(*Open(), nullptr));
  ASSERT_EQ(digests.size(), 9u);
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_EQ(digests[0], digests[2]);
  std::set<absl::uint128> distinct;
  for (size_t i = 2; i < digests.size(); ++i) distinct.insert(digests[i].value());
  EXPECT_EQ(distinct.size(), 7u);
  EXPECT_EQ(digests[6], ContentDigest(5, "small"));
}

TEST_F(ContentDigestTest, AFileThatWentAwayIsNamed) {
  for (int i = 0; i < 50; ++i) Write(absl::StrCat(i, ".jpg"), absl::StrCat("photo", i));
  const auto dataset = Open();
  std::filesystem::remove(JoinPath(dir_.path(), "31.jpg"));
  EXPECT_THAT(ContentDigests(*dataset, nullptr), StatusIs(absl::StatusCode::kUnavailable, "31.jpg: No such file"));
}

TEST_F(ContentDigestTest, CountsWhatItReads) {
  for (int i = 0; i < 50; ++i) Write(absl::StrCat(i, ".jpg"), absl::StrCat("photo", i));
  Progress progress;
  ASSERT_OK(ContentDigests(*Open(), &progress));
  EXPECT_GE(progress.count(), 50);
  EXPECT_EQ(progress.doing(), "digests images (0 of 50 so far)");
}

TEST_F(ContentDigestTest, AShareIsOfAllNumbersOfSixtyFourBits) {
  EXPECT_TRUE(IsHeldOut(DigestAt(0), 0.001));
  EXPECT_FALSE(IsHeldOut(DigestAt(0), 0));
  EXPECT_TRUE(IsHeldOut(DigestAt((uint64_t{1} << 62) - 2048), 0.25));
  EXPECT_FALSE(IsHeldOut(DigestAt(uint64_t{1} << 62), 0.25));
  EXPECT_FALSE(IsHeldOut(DigestAt(~uint64_t{0}), 0.5));
}

TEST_F(ContentDigestTest, TheLeastShareHoldsItOutAsItIsWrittenAndOneDigitLessDoesNot) {
  const auto high = [](double place) { return static_cast<uint64_t>(std::ldexp(place, 64)); };
  for (const double place : {0.29, 0.28999, 0.3, 0.1, 0.0999, 0.0031, 0.00311, 0.5, 0.7, 0.00012345}) {
    const absl::uint128 digest = DigestAt(high(place));
    double share = 0;
    ASSERT_TRUE(absl::SimpleAtod(absl::StrCat(LeastShare(digest)), &share));
    EXPECT_TRUE(IsHeldOut(digest, share)) << place << " " << share;
    EXPECT_FALSE(IsHeldOut(digest, share - 1.01 * std::pow(10, std::floor(std::log10(place)) - 1))) << place;
  }
  EXPECT_DOUBLE_EQ(LeastShare(DigestAt(uint64_t{1} << 61)), 0.13);
  EXPECT_DOUBLE_EQ(LeastShare(DigestAt(high(0.00311))), 0.0032);
  EXPECT_TRUE(IsHeldOut(DigestAt(0), LeastShare(DigestAt(0))));
}

}  // namespace
}  // namespace mimeo
