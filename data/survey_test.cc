#include "data/survey.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/decode.h"
#include "data/testing/tar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::StatusIs;
using testing::WriteTar;

// A picture that no other number has, of one colour.
std::string Picture(int number, int width, int height, bool grey = false) {
  Pixels pixels{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3)};
  for (size_t i = 0; i < pixels.rgb.size(); ++i) {
    pixels.rgb[i] = static_cast<uint8_t>(grey || i % 3 == 0 ? number : 255 - number);
  }
  return EncodePng(pixels);
}

class SurveyTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_OK(MakeDirs(std::filesystem::path(Path(name)).parent_path().string()));
    std::ofstream(Path(name)) << bytes;
  }
  DatasetSurvey Take(const std::string& name) { return TakeSurvey(Path(name), options_).value(); }

  TempDir dir_;
  SurveyOptions options_;
};

TEST_F(SurveyTest, CountsClassesAndWhatIsLeftOut) {
  for (int i = 0; i < 3; ++i) Write(absl::StrCat("photos/cat/", i, ".png"), Picture(i, 8, 8));
  for (int i = 3; i < 5; ++i) Write(absl::StrCat("photos/ant/", i, ".png"), Picture(i, 8, 8));
  for (int i = 5; i < 7; ++i) Write(absl::StrCat("photos/bee/", i, ".png"), Picture(i, 8, 8));
  Write("photos/none.png", Picture(7, 8, 8));
  Write("photos/scan.tif", "x");
  const DatasetSurvey survey = Take("photos");
  EXPECT_EQ(survey.kind, "class folders");
  EXPECT_EQ(survey.images, 8);
  EXPECT_EQ(survey.labelled, 7);
  EXPECT_THAT(survey.classes, ElementsAre(Pair("cat", 3), Pair("ant", 2), Pair("bee", 2)));
  ASSERT_EQ(survey.contents.passed_over_size(), 1);
  EXPECT_EQ(survey.contents.passed_over(0).reason(), "files of other kinds");
  EXPECT_FALSE(survey.held_out.has_value());
  EXPECT_EQ(survey.duplicate_groups, 0);
}

TEST_F(SurveyTest, SaysHowLargeHowGreyAndHowBrokenTheyAre) {
  Write("photos/a.png", Picture(10, 8, 30));
  Write("photos/b.png", Picture(11, 16, 20, /*grey=*/true));
  Write("photos/c.png", Picture(12, 32, 10));
  Write("photos/d.png", Picture(13, 64, 5));
  Write("photos/e.jpg", "text");
  Write("photos/f.jpg", "");
  const DatasetSurvey survey = Take("photos");
  EXPECT_EQ(survey.kind, "folder");
  EXPECT_EQ(survey.labelled, 0);
  EXPECT_EQ(survey.width.smallest, 8);
  EXPECT_EQ(survey.width.median, 32);
  EXPECT_EQ(survey.width.largest, 64);
  EXPECT_EQ(survey.height.smallest, 5);
  EXPECT_EQ(survey.height.median, 20);
  EXPECT_EQ(survey.height.largest, 30);
  EXPECT_DOUBLE_EQ(survey.grey, 0.25);
  EXPECT_EQ(survey.looked_at, 6);
  EXPECT_EQ(survey.undecodable.count(), 2);
  EXPECT_THAT(survey.undecodable.names(),
              ElementsAre("e.jpg: not a JPEG, PNG or WebP: starts with \"text\"", "f.jpg: an empty file"));
}

TEST_F(SurveyTest, FindsEqualImagesAndNoOthers) {
  for (int i = 0; i < 4; ++i) Write(absl::StrCat("photos/", i, ".png"), Picture(i, 8, 8));
  for (const char* name : {"0 copy", "0 copy 2", "3 copy"}) {
    Write(absl::StrCat("photos/", name, ".png"), Picture(name[0] - '0', 8, 8));
  }
  // Alike in size and ends, and different between them.
  const std::string ends(5000, 'e');
  Write("photos/x.jpg", absl::StrCat(ends, "one", ends));
  Write("photos/y.jpg", absl::StrCat(ends, "two", ends));
  Write("photos/z.jpg", absl::StrCat(ends, "two", ends));
  DatasetSurvey survey = Take("photos");
  EXPECT_EQ(survey.duplicate_groups, 3);
  EXPECT_EQ(survey.duplicate_images, 4);
  EXPECT_EQ(survey.contents.notes_size(), 0);
  options_.compared_bytes = 20010;  // one is not read any more
  survey = Take("photos");
  EXPECT_EQ(survey.duplicate_groups, 3) << "and it is taken for equal to the first";
  ASSERT_EQ(survey.contents.notes_size(), 1);
  EXPECT_THAT(survey.contents.notes(0), HasSubstr("1 images are taken for equal"));
}

TEST_F(SurveyTest, SaysWhatWouldBeHeldOut) {
  for (int i = 0; i < 100; ++i) Write(absl::StrCat("photos/", i % 2 ? "cat/" : "", i, ".png"), Picture(i, 4, 4));
  options_.hold_out = 0.3;
  const DatasetSurvey survey = Take("photos");
  ASSERT_TRUE(survey.held_out.has_value());
  EXPECT_GT(survey.held_out->images, 10);
  EXPECT_LT(survey.held_out->images, 50);
  EXPECT_GT(survey.held_out->labelled, 0);
  EXPECT_LT(survey.held_out->labelled, survey.held_out->images);
  EXPECT_EQ(survey.held_out->classes, 1);
  options_.hold_out = 1e-9;
  EXPECT_EQ(Take("photos").held_out->images, 0) << "no error: it is said";
}

TEST_F(SurveyTest, KnowsTarsFromShards) {
  const std::vector<std::pair<std::string, std::string>> members = {
      {"0.png", Picture(1, 8, 8)}, {"0.cls", "3"}, {"1.png", Picture(2, 8, 8)}, {"1.cls", "5"}};
  ASSERT_OK(MakeDirs(Path("shards")));
  WriteTar(Path("one.tar"), members);
  WriteTar(Path("shards/a.tar"), members);
  WriteTar(Path("shards/b.tar"), members);
  EXPECT_EQ(Take("one.tar").kind, "tar");
  EXPECT_THAT(Take("one.tar").classes, ElementsAre(Pair("3", 1), Pair("5", 1))) << "no class is empty";
  EXPECT_EQ(Take("shards").kind, "tar shards");
  EXPECT_EQ(Take("shards").images, 4);
  EXPECT_EQ(Take("shards").duplicate_groups, 2);
  Write("shards/c.png", "x");
  EXPECT_THAT(TakeSurvey(Path("shards"), options_), StatusIs(absl::StatusCode::kInvalidArgument, "of one kind"));
}

TEST_F(SurveyTest, LooksAtNoMoreThanItMay) {
  for (int i = 0; i < 60; ++i) Write(absl::StrCat("photos/", i, ".png"), Picture(i, 10, 10));
  options_.looked_at = 40;
  EXPECT_EQ(Take("photos").looked_at, 40);
  options_.decoded_pixels = 2000;
  EXPECT_EQ(Take("photos").looked_at, 20);
  options_.decoded_pixels = 10;
  EXPECT_EQ(Take("photos").looked_at, 8) << "so many are looked at however large they are";
}

TEST_F(SurveyTest, WithoutAnImageItSaysWhatIsThere) {
  Write("photos/scan.tif", "x");
  EXPECT_THAT(TakeSurvey(Path("photos"), options_),
              StatusIs(absl::StatusCode::kNotFound, "no images in it: 1 files, of which 0 end in"));
}

}  // namespace
}  // namespace mimeo
