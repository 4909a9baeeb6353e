#include "worker/training/bad_samples.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "worker/training/testing/local_gang.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RunAsGang;
using testing::StatusIs;

class BadSamplesTest : public ::testing::Test {
 protected:
  BadSamplesTest() {
    for (int i = 0; i < 30; ++i) EXPECT_OK(WriteFileAtomic(absl::StrCat(dir_.path(), "/", 100 + i, ".jpg"), "text"));
    dataset_ = Dataset::Open(dir_.path()).value();
    data_.set_max_bad_samples(5);
    data_.set_max_pixels(10000);
  }

  TempDir dir_;
  std::unique_ptr<Dataset> dataset_;
  DataSpec data_;
};

TEST_F(BadSamplesTest, EveryRankKnowsThoseOfAll) {
  const std::vector<std::vector<int64_t>> met = {{4, 7}, {}, {7, 9, 1}};
  RunAsGang(3, [&](Gang* gang) {
    BadSamples bad(dataset_.get(), data_, {1});
    const std::vector<int64_t> fresh = bad.NewAmong(met[gang->rank()]);
    EXPECT_EQ(fresh.size(), 2u - 2 * (gang->rank() == 1)) << "1 was known, 7 is new to two ranks";
    ASSERT_OK(bad.Share(fresh, gang));
    EXPECT_EQ(bad.all(), (std::set<int64_t>{1, 4, 7, 9}));
    EXPECT_TRUE(bad.NewAmong({9, 4, 9}).empty());
    EXPECT_OK(bad.Check(/*enough_good=*/true));
    // Two ranks meet three each: over the limit together, and each says the same.
    ASSERT_OK(bad.Share(gang->rank() == 0 ? std::vector<int64_t>{20, 21} : std::vector<int64_t>{}, gang));
    EXPECT_THAT(bad.Check(true),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("6 of 30 samples cannot be decoded; data.max_bad_samples is 5. The first:"),
                               HasSubstr("\n  120.jpg: not a JPEG, PNG or WebP"))));
  });
}

TEST_F(BadSamplesTest, TheFirstTenAreNamedAndARowWithoutASampleIsSaid) {
  std::set<int64_t> known;
  for (int i = 0; i < 30; ++i) known.insert(i);
  data_.set_max_bad_samples(1000);
  const BadSamples bad(dataset_.get(), data_, known);
  EXPECT_OK(bad.Check(true));
  const absl::Status status = bad.Check(false);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               "30 of 30 samples cannot be decoded, and a row has no other in its place"));
  const std::vector<std::string> lines = absl::StrSplit(std::string(status.message()), '\n');
  EXPECT_EQ(lines.size(), 11u);
}

TEST_F(BadSamplesTest, LongAndOddNamesLeaveRoomForTheReasons) {
  TempDir dir;
  std::string folders = dir.path();
  for (int depth = 0; depth < 10; ++depth) {
    folders += "/";
    for (int i = 0; i < 70; ++i) folders += "袖";
  }
  ASSERT_OK(MakeDirs(folders));
  for (int i = 0; i < 12; ++i) ASSERT_OK(WriteFileAtomic(absl::StrCat(folders, "/", i, "\xff.jpg"), "text"));
  const auto dataset = Dataset::Open(dir.path()).value();
  std::set<int64_t> known;
  for (int i = 0; i < 12; ++i) known.insert(i);
  const std::string message(BadSamples(dataset.get(), data_, known).Check(true).message());
  EXPECT_LT(message.size(), 4096u);
  const std::vector<std::string> lines = absl::StrSplit(message, '\n');
  ASSERT_EQ(lines.size(), 11u);
  for (size_t i = 1; i < lines.size(); ++i) {
    EXPECT_THAT(lines[i], HasSubstr("\\xff.jpg: not a JPEG, PNG or WebP: starts with \"text\""));
  }
}

}  // namespace
}  // namespace mimeo
