// What somebody's own photos are like: of one class, of mixed kinds, with names in an old encoding, or no photos at
// all. `mimeo run --data` ends with a verdict, or with one sentence that says why not. tests/e2e/auto_run_test.cc has
// the tidy folders, too few photos and weights of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/subprocess.h"
#include "data/dataset.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kPatience = absl::Minutes(3);

class NewcomerTest : public ::testing::Test {
 protected:
  NewcomerTest() {
    // Its own folder for temporary files, so that a message that has one of their paths is found.
    EXPECT_TRUE(MakeDirs(temporary_).ok());
    auto opened = Dataset::Open(ExamplePhotos("train"));
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) examples_ = *std::move(opened);
  }

  // Writes `bytes` to the file of this name below the folder of photos, and the folders on the way.
  void Write(const std::string& name, const std::string& bytes) {
    const std::string path = JoinPath(photos_, name);
    ASSERT_TRUE(MakeDirs(path.substr(0, path.rfind('/'))).ok()) << path;
    ASSERT_TRUE(WriteFileAtomic(path, bytes).ok()) << path;
  }

  std::string Photo(int number) { return examples_->Read(number).value_or(""); }

  // A picture of another format than the examples have.
  static std::string Picture(const std::string& name) {
    return ReadFile(
               absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/data/testdata/", name))
        .value_or("");
  }

  // What `mimeo run --data PATH` prints on both streams. Whatever happens, nobody is shown where it has its temporary
  // files, or a line of a log.
  std::string Run(const std::string& path, int code) {
    const auto binary = FindBinary("mimeo");
    EXPECT_TRUE(binary.ok()) << binary.status();
    if (!binary.ok()) return "";
    Subprocess::Options options;
    options.argv = {*binary, "run", "--data", path, "--out", out_, "--minutes", "0.1"};
    options.extra_env = {"TMPDIR=" + temporary_};
    options.output_path = absl::StrCat(dir_.path(), "/said-", ++runs_);
    const auto run = Subprocess::Start(options);
    EXPECT_TRUE(run.ok()) << run.status();
    if (!run.ok()) return "";
    const auto ended = (*run)->Wait(Clock::Real()->Now() + kPatience);
    const std::string said = ReadFile(options.output_path).value_or("");
    EXPECT_TRUE(ended.ok()) << ended.status() << "\n" << said;
    EXPECT_EQ(ended.ok() ? ended->code : -1, code) << said;
    EXPECT_THAT(said, Not(HasSubstr(temporary_)));
    EXPECT_FALSE(std::regex_search(said, std::regex("[0-9]Z (debug|info|warning|error) "))) << said;
    return said;
  }

  // The run ends with code 2, one line, and nothing in its folder.
  void ExpectRefused(const std::string& path, const std::string& why) {
    const std::string said = Run(path, 2);
    EXPECT_THAT(said, AllOf(StartsWith("mimeo: --data"), HasSubstr(why)));
    EXPECT_EQ(Lines(said).size(), 1u) << said;
    EXPECT_FALSE(FileExists(out_)) << said;
  }

  static std::vector<std::string> Lines(const std::string& said) {
    return absl::StrSplit(said, '\n', absl::SkipEmpty());
  }

  const TempDir dir_;
  const std::string temporary_ = dir_.path() + "/temporary";
  const std::string photos_ = dir_.path() + "/photos";
  const std::string out_ = dir_.path() + "/out";
  std::unique_ptr<Dataset> examples_;
  int runs_ = 0;
};

TEST_F(NewcomerTest, PhotosOfOneClassAreTrainedOnAndTheVerdictSaysWhatIsMissing) {
  for (int i = 0; i < 60; ++i) Write(absl::StrCat("shoes/", i, ".jpg"), Photo(i));
  const std::string said = Run(photos_, 0);
  EXPECT_THAT(said, HasSubstr("labels: 1 class (shoes 60)"));
  EXPECT_THAT(said, HasSubstr("all photos that were judged are of one class"));
  EXPECT_THAT(Lines(said).back(), HasSubstr("take photos of two classes or more"));
  EXPECT_THAT(ReadFile(out_ + "/report.html").value_or(""), HasSubstr("are of one class"));
}

TEST_F(NewcomerTest, MixedKindsAreTrainedOnAndWhatIsLeftOutIsSaid) {
  for (int i = 0; i < 60; ++i) Write(absl::StrCat(i % 2 == 0 ? "cats" : "dogs", "/", i, ".jpg"), Photo(i));
  for (const char* name : {"grey.png", "rgb16.png", "alpha.png", "lossy.webp", "lossless.webp"}) {
    Write(absl::StrCat("cats/", name), Picture(name));
  }
  Write("dogs/UPPER.JPEG", Photo(60));
  Write("dogs/2019/summer/deep.jpg", Photo(61));
  Write("at_the_top.jpg", Photo(62));
  Write("dogs/broken.jpg", Photo(63).substr(0, 300));
  Write("cats/notes.txt", "Tom is the grey one");
  Write(".DS_Store", "x");
  Write("dogs/._deep.jpg", "x");
  const std::string said = Run(photos_, 0);
  EXPECT_THAT(said, HasSubstr("photos: 69 in " + photos_));
  EXPECT_THAT(said, HasSubstr("labels: 2 classes (cats 35, dogs 33); 1 photo"));
  EXPECT_THAT(said, HasSubstr("left out: files of other kinds 1, hidden files 2"));
  EXPECT_THAT(said, HasSubstr("cannot be decoded: 1 of the 69 that were tried (dogs/broken.jpg: broken JPEG"));
  EXPECT_THAT(said, HasSubstr("in 2 classes, the encoder finds the right class for"));
  EXPECT_THAT(Lines(said).back(), HasSubstr("Next: "));
}

// Latin-1, as from an old disk, with a line break for good measure.
TEST_F(NewcomerTest, NamesOfPhotosThatAreNotUtf8AreWrittenOut) {
  for (int i = 0; i < 60; ++i)
    Write(absl::StrCat(i % 2 == 0 ? "H\xfcte" : "Schuhe", "/caf\xe9\n", i, ".jpg"), Photo(i));
  const std::string said = Run(photos_, 0);
  EXPECT_THAT(said, HasSubstr(R"(labels: 2 classes (H\xfcte 30, Schuhe 30))"));
  EXPECT_THAT(said, HasSubstr("the encoder finds the right class for"));
  EXPECT_THAT(said, AllOf(Not(HasSubstr("\xfc")), Not(HasSubstr("\xe9"))));
  EXPECT_THAT(Lines(said).back(), HasSubstr("Next: "));
}

TEST_F(NewcomerTest, WhatIsNoFolderOfPhotosIsRefusedInOneSentence) {
  Write("beside/photo.jpg", Photo(0));
  ExpectRefused(photos_ + "/beside/photo.jpg", "neither a folder nor a .tar");
  Write("beside/notes.txt", "no photo");
  ExpectRefused(photos_ + "/beside/notes.txt", "neither a folder nor a .tar");
  for (int i = 0; i < 3; ++i) Write(absl::StrCat("hidden/.", i, ".jpg"), Photo(i));
  ExpectRefused(photos_ + "/hidden", "hidden files: 3");
  for (int i = 0; i < 3; ++i) Write(absl::StrCat("scans/", i, ".tif"), "x");
  ExpectRefused(photos_ + "/scans", "files of other kinds: 3 (.tif 3)");
  for (int i = 0; i < 60; ++i) Write(absl::StrCat("broken/", i, ".jpg"), absl::StrCat("no photo ", i));
  ExpectRefused(photos_ + "/broken", "60 of the 60 that were tried cannot be decoded");
}

}  // namespace
}  // namespace mimeo
