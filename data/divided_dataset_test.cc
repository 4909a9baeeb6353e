#include "data/divided_dataset.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/testing/tar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::WriteTar;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class DividedDatasetTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_OK(MakeDirs(std::filesystem::path(Path(name)).parent_path().string()));
    std::ofstream(Path(name)) << bytes;  // hundreds: without a sync of each
  }
  // Photos from..to-1 in two classes.
  void WritePhotos(const std::string& root, int from, int to) {
    for (int i = from; i < to; ++i) Write(absl::StrCat(root, i % 3 ? "/cat/" : "/dog/", i, ".jpg"), Bytes(i));
  }
  static std::string Bytes(int i) { return absl::StrCat("photo ", i); }

  absl::StatusOr<DividedDataset> TryDivide(const std::string& name, double share) {
    return DividedDataset::Divide(StoredDataset::Open(Path(name)).value(), share);
  }
  DividedDataset Divide(const std::string& name, double share) { return TryDivide(name, share).value(); }

  static std::set<std::string> Names(const Dataset& part) {
    std::set<std::string> names;
    for (int64_t i = 0; i < part.size(); ++i) names.insert(part.name(i));
    return names;
  }
  static std::set<std::string> Contents(const Dataset& part) {
    std::set<std::string> contents;
    for (int64_t i = 0; i < part.size(); ++i) contents.insert(part.Read(i).value());
    return contents;
  }

  TempDir dir_;
};

TEST_F(DividedDatasetTest, EachImageIsInOnePartWithItsBytesAndItsLabel) {
  WritePhotos("photos", 0, 400);
  const auto whole = Dataset::Open(Path("photos")).value();
  const DividedDataset divided = Divide("photos", 0.1);
  const auto training = divided.Training(), held_out = divided.HeldOut();
  EXPECT_EQ(training->size() + held_out->size(), 400);
  EXPECT_GT(held_out->size(), 20);
  EXPECT_LT(held_out->size(), 60);
  std::map<std::string, int64_t> numbers;
  for (int64_t i = 0; i < whole->size(); ++i) numbers[whole->name(i)] = i;
  for (const Dataset* part : {training.get(), held_out.get()}) {
    EXPECT_EQ(part->class_names(), whole->class_names());
    EXPECT_EQ(part->contents().num_samples(), part->size());
    for (int64_t i = 0; i < part->size(); ++i) {
      ASSERT_EQ(numbers.count(part->name(i)), 1u) << part->name(i) << " is in both parts";
      EXPECT_EQ(part->Read(i).value(), whole->Read(numbers[part->name(i)]).value());
      EXPECT_EQ(part->label(i), whole->label(numbers[part->name(i)]));
      numbers.erase(part->name(i));
    }
  }
  EXPECT_TRUE(numbers.empty());
  EXPECT_EQ(Names(*divided.Training()), Names(*training)) << "each call opens the same";
}

TEST_F(DividedDatasetTest, EqualImagesAreOnOneSideWhateverTheirNames) {
  WritePhotos("photos", 0, 200);
  for (int i = 0; i < 200; ++i) Write(absl::StrCat("photos/fox/", 999 - i, ".png"), Bytes(i));
  const DividedDataset divided = Divide("photos", 0.3);
  const auto training = divided.Training(), held_out = divided.HeldOut();
  EXPECT_EQ(training->size() + held_out->size(), 400);
  EXPECT_EQ(Contents(*training).size() * 2, static_cast<size_t>(training->size()));
  EXPECT_EQ(Contents(*held_out).size() * 2, static_cast<size_t>(held_out->size()));
}

TEST_F(DividedDatasetTest, MoreImagesMoveNoneAndALargerShareHoldsOutTheSameAndMore) {
  WritePhotos("photos", 0, 200);
  const auto before = Names(*Divide("photos", 0.1).HeldOut());
  const auto larger = Names(*Divide("photos", 0.2).HeldOut());
  EXPECT_TRUE(std::includes(larger.begin(), larger.end(), before.begin(), before.end()));
  EXPECT_GT(larger.size(), before.size());
  const auto trained = Names(*Divide("photos", 0.1).Training());
  WritePhotos("photos", 200, 400);
  const auto after = Names(*Divide("photos", 0.1).HeldOut());
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  for (const std::string& name : trained) EXPECT_EQ(after.count(name), 0u) << name;
}

TEST_F(DividedDatasetTest, FoldersAndTarsAreDividedAlike) {
  std::vector<std::pair<std::string, std::string>> first, second, all;
  for (int i = 0; i < 200; ++i) {
    Write(absl::StrCat("flat/", i, ".jpg"), Bytes(i));
    all.emplace_back(absl::StrCat(i, ".jpg"), Bytes(i));
    (i % 2 ? first : second).push_back(all.back());
  }
  ASSERT_OK(MakeDirs(Path("shards")));
  WriteTar(Path("one.tar"), all);
  WriteTar(Path("shards/a.tar"), first);
  WriteTar(Path("shards/b.tar"), second);
  const auto folder = Contents(*Divide("flat", 0.2).HeldOut());
  EXPECT_GT(folder.size(), 20u);
  EXPECT_EQ(Contents(*Divide("one.tar", 0.2).HeldOut()), folder);
  EXPECT_EQ(Contents(*Divide("shards", 0.2).HeldOut()), folder);
}

// A job notes the digest of what it trains on, and every later rank has to find the same.
TEST_F(DividedDatasetTest, TheDigestCoversThePartsAndWhatTheImagesHold) {
  WritePhotos("photos", 0, 100);
  const std::string digest = Divide("photos", 0.2).Training()->digest();
  EXPECT_EQ(Divide("photos", 0.2).Training()->digest(), digest);
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_NE(Divide("photos", 0.2).HeldOut()->digest(), digest);
  EXPECT_NE(Divide("photos", 0.4).Training()->digest(), digest);
  const std::string whole = Dataset::Open(Path("photos")).value()->digest();
  Write("photos/cat/1.jpg", "PHOTO 1");
  EXPECT_EQ(Dataset::Open(Path("photos")).value()->digest(), whole) << "the same names and sizes";
  EXPECT_NE(Divide("photos", 0.2).Training()->digest(), digest);
}

TEST_F(DividedDatasetTest, WhatTheWholeLeavesOutIsSaidOnce) {
  WritePhotos("photos", 0, 100);
  Write("photos/scan.tif", "x");
  const DividedDataset divided = Divide("photos", 0.2);
  EXPECT_EQ(divided.Training()->contents().passed_over_size(), 1);
  EXPECT_EQ(divided.HeldOut()->contents().passed_over_size(), 0);
}

TEST_F(DividedDatasetTest, APartWithoutImagesIsRefusedWithTheNumbers) {
  WritePhotos("photos", 0, 12);
  const absl::Status none = TryDivide("photos", 1e-9).status();
  EXPECT_THAT(none, StatusIs(kInvalid, AllOf(HasSubstr("a share of 1e-09 holds out none of the 12 images of "),
                                             HasSubstr("a share of 0."))));
  // The share that it names is right.
  const std::string text(none.message());
  const double named = std::stod(text.substr(text.rfind("a share of ") + 11));
  EXPECT_GE(Divide("photos", named).HeldOut()->size(), 1);
  EXPECT_THAT(TryDivide("photos", 1), StatusIs(kInvalid, AllOf(HasSubstr("a share of 1 holds out all 12 images of "),
                                                               HasSubstr("none is left to train on"))));
}

// As for another user.
TEST_F(DividedDatasetTest, WhatCannotBeReadIsOnNeitherSide) {
  std::vector<StoredSample> samples;
  for (int i = 0; i < 40; ++i) {
    Write(absl::StrCat("photos/", i, ".jpg"), Bytes(i));
    StoredSample& sample = samples.emplace_back();
    sample.name = absl::StrCat(i, ".jpg"), sample.size = static_cast<int64_t>(Bytes(i).size());
  }
  samples[7].readable = false;
  std::filesystem::remove(Path("photos/7.jpg"));  // root may read what has no mode; this fails for root too
  const auto divided = DividedDataset::Divide(
      std::make_unique<StoredDataset>(Path("photos"), samples, nullptr, std::vector<std::string>(), DataContents()),
      0.3);
  ASSERT_OK(divided);
  EXPECT_EQ(divided->Training()->size() + divided->HeldOut()->size(), 39);
  ASSERT_EQ(divided->Training()->contents().notes_size(), 1);
  EXPECT_EQ(divided->Training()->contents().notes(0),
            "1 images that this user may not read are neither trained on nor held out");
}

}  // namespace
}  // namespace mimeo
