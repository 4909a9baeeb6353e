#include "client/auto/judges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

Survey Photos(const std::vector<std::string>& classes) {
  Survey survey;
  survey.path = "/photos";
  survey.images = survey.labelled = 1'061;
  for (const std::string& name : classes) survey.classes.push_back({name, 10});
  return survey;
}

TEST(CheckClassesMeetTest, OneClassInCommonIsEnoughAndNoneIsRefusedWithTheNames) {
  const Survey photos = Photos({"dress", "hat", "pants", "shirt", "shoes", "skirt"});
  Survey judges = Photos({"Dress", "boots"});
  judges.path = "/judged";
  EXPECT_EQ(
      CheckClassesMeet(photos, judges).message(),
      "--evaluate /judged: none of its 2 classes (Dress, boots) is among the 6 classes (dress, hat, pants, shirt, "
      "shoes, ...) of --data /photos, so that every answer would be wrong; both need the same names of class "
      "folders");
  EXPECT_TRUE(absl::IsInvalidArgument(CheckClassesMeet(photos, judges)));
  judges.classes.push_back({"hat", 1});
  EXPECT_TRUE(CheckClassesMeet(photos, judges).ok());
}

TEST(CheckClassesMeetTest, WithoutLabelsNothingCanBeAmiss) {
  EXPECT_TRUE(CheckClassesMeet(Photos({}), Photos({"hat"})).ok());
  EXPECT_TRUE(CheckClassesMeet(Photos({"hat"}), Photos({})).ok());
}

TEST(CheckDivisionTest, NoneOrAllHeldOutIsRefusedAndSomeAreNot) {
  Survey photos = Photos({"hat"});
  photos.least_share = 0.0032;
  EXPECT_EQ(
      CheckDivision(photos, 0.001).message(),
      "--hold_out 0.001 holds out none of the 1,061 photos in /photos: which ones is decided by their bytes alone; "
      "--hold_out 0.0032 holds out one at least, or judge by other photos: --evaluate FOLDER");
  photos.least_share = 0.71;
  EXPECT_EQ(CheckDivision(photos, 0.1).message(),
            "--hold_out 0.1 holds out none of the 1,061 photos in /photos: which ones is decided by their bytes alone; "
            "judge by other photos: --evaluate FOLDER");
  photos.held_out_images = 1;
  EXPECT_TRUE(CheckDivision(photos, 0.1).ok());
  photos.held_out_images = 1'061;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckDivision(photos, 0.1)));
}

// A person may have given each photo a folder of its own.
TEST(CheckDivisionTest, OnePhotoInEachClassIsRefused) {
  Survey photos = Photos({"cat", "dog", "hat"});
  photos.images = photos.labelled = 3;
  photos.held_out_images = 1;
  for (NamedCount& of_class : photos.classes) of_class.count = 1;
  const absl::Status refusal = CheckDivision(photos, 0.1);
  EXPECT_TRUE(absl::IsInvalidArgument(refusal));
  EXPECT_NE(refusal.message().find("3 classes (cat, dog, hat) in /photos has one photo"), absl::string_view::npos);
  photos.classes.front().count = 2;
  EXPECT_TRUE(CheckDivision(photos, 0.1).ok());
}

}  // namespace
}  // namespace mimeo
