#include "data/dataset.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "data/testing/tar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "job/data_text.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::WriteTar;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr absl::StatusCode kAway = absl::StatusCode::kUnavailable;

class DatasetTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_OK(MakeDirs(std::filesystem::path(Path(name)).parent_path().string()));
    ASSERT_OK(WriteFileAtomic(Path(name), bytes));
  }

  std::unique_ptr<Dataset> Open(const std::string& name) {
    auto dataset = Dataset::Open(Path(name));
    EXPECT_OK(dataset);
    return dataset.ok() ? std::move(*dataset) : nullptr;
  }

  static std::vector<std::string> Names(const Dataset& dataset) {
    std::vector<std::string> names;
    for (int64_t i = 0; i < dataset.size(); ++i) names.push_back(dataset.name(i));
    return names;
  }
  static std::vector<int> Labels(const Dataset& dataset) {
    std::vector<int> labels;
    for (int64_t i = 0; i < dataset.size(); ++i) labels.push_back(dataset.label(i));
    return labels;
  }

  // What it leaves out, a line for each reason.
  static std::vector<std::string> LeftOut(const Dataset& dataset) {
    std::vector<std::string> lines;
    for (const PassedOver& row : dataset.contents().passed_over()) lines.push_back(PassedOverText(row));
    return lines;
  }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_OK(MakeDirs(std::filesystem::path(Path(name)).parent_path().string()));
    ASSERT_EQ(symlink(target.c_str(), Path(name).c_str()), 0);
  }

  TempDir dir_;
};

TEST_F(DatasetTest, WhatPeopleDoNotSeeIsLeftOutAndCounted) {
  Write("tree/box/0.png", "x");
  Write("tree/box/.thumbnails/0.png", "x");
  Write("tree/box/._0.png", "x");
  Write("tree/.ipynb_checkpoints/0-checkpoint.png", "x");
  Write("tree/@eaDir/t.jpg", "x");
  Write("tree/.DS_Store", "x");
  const auto dataset = Open("tree");
  EXPECT_THAT(Names(*dataset), ElementsAre("box/0.png"));
  EXPECT_THAT(dataset->class_names(), ElementsAre("box"));
  EXPECT_THAT(LeftOut(*dataset), ElementsAre("hidden files: 2 (.DS_Store, box/._0.png)",
                                             "hidden folders: 3 (.ipynb_checkpoints, @eaDir, box/.thumbnails)"));
  Write(".hidden_root/a.jpg", "x");
  EXPECT_EQ(Open(".hidden_root")->size(), 1) << "a person named it";
}

TEST_F(DatasetTest, FilesOfOtherKindsAreCountedByExtension) {
  for (const char* name : {"a.jfif", "b.JPE", "c.Jpeg", "d.tif", "e.TIF", "f.bmp", "README", "h."}) {
    Write(absl::StrCat("flat/", name), "x");
  }
  const auto dataset = Open("flat");
  EXPECT_THAT(Names(*dataset), ElementsAre("a.jfif", "b.JPE", "c.Jpeg"));
  EXPECT_THAT(LeftOut(*dataset), ElementsAre("files of other kinds: 5 (.tif 2, without extension 2, .bmp 1)"));
  EXPECT_EQ(dataset->contents().num_samples(), 3);
}

TEST_F(DatasetTest, LinksToFoldersAreFollowedAndLoopsAreNot) {
  Write("store/box/0.png", "x");
  Write("store/box/1.png", "x");
  Write("tree/tri/0.png", "x");
  Link("../store/box", "tree/box");
  Link("../store/box", "tree/carton");  // the same one, as another class
  Link(".", "tree/loop");
  Link("../../tree", "tree/tri/up");
  Link("nowhere.png", "tree/tri/dangling.png");
  const auto dataset = Open("tree");
  EXPECT_THAT(Names(*dataset), ElementsAre("box/0.png", "box/1.png", "carton/0.png", "carton/1.png", "tri/0.png"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(0, 0, 1, 1, 2));
  EXPECT_EQ(dataset->Read(2).value(), "x");
  EXPECT_THAT(LeftOut(*dataset), ElementsAre("links to folders that they lie in: 2 (loop, tri/up)",
                                             "links to nothing or files that vanished: 1 (tri/dangling.png)"));
  Link("tree", "rootlink");
  EXPECT_EQ(Open("rootlink")->digest(), dataset->digest());
}

TEST_F(DatasetTest, AMazeOfLinksIsRefusedAndADeepTreeEnds) {
  for (int a = 0; a < 7; ++a) {
    for (int b = 0; b < 7; ++b) Link(absl::StrCat("../", b), absl::StrCat("maze/", a, "/", b));
  }
  Write("maze/0/x.jpg", "x");
  EXPECT_THAT(Dataset::Open(Path("maze")), StatusIs(kInvalid, "on more than 1000 paths"));
  std::string deep = "deep";
  for (int i = 0; i < 101; ++i) absl::StrAppend(&deep, "/d");
  Write(deep + "/too_deep.jpg", "x");
  Write("deep/d/good.jpg", "x");
  const auto dataset = Open("deep");
  EXPECT_THAT(Names(*dataset), ElementsAre("d/good.jpg"));
  EXPECT_THAT(LeftOut(*dataset), ElementsAre(HasSubstr("folders more than 100 folders deep: 1")));
}

TEST_F(DatasetTest, HiddenMembersAndOtherKindsOfATarAreCounted) {
  WriteTar(Path("x.tar"), {{"./a/0.jpg", "x"},
                           {"./a/0.cls", "3"},
                           {"./a/0.txt", "a caption"},
                           {"./a/._0.jpg", "x"},
                           {"./a/._0.json", "\x05\x16\x07"},
                           {".cache/1.jpg", "x"},
                           {"a/1.tif", "x"},
                           {"a/1.cls", "4"},
                           {"a/notes.txt", "x"}});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Names(*dataset), ElementsAre("x.tar:./a/0.jpg"));
  EXPECT_THAT(LeftOut(*dataset),
              ElementsAre("files of other kinds: 2 (.tif 1, .txt 1)",
                          "hidden files: 3 (x.tar:./a/._0.jpg, x.tar:./a/._0.json, x.tar:.cache/1.jpg)",
                          "labels without an image: 1 (x.tar:a/1.cls)"));
}

TEST_F(DatasetTest, ABadLabelMemberCostsTheLabelOfItsSampleOnly) {
  WriteTar(Path("x.tar"), {{"0.jpg", "x"},
                           {"0.json", R"({"label": 1})"},
                           {"1.jpg", "x"},
                           {"1.json", R"({"label": 1, "score": NaN})"},
                           {"2.jpg", "x"},
                           {"2.json", absl::StrCat(R"({"label": 1, "w": ")", std::string(70000, 'x'), "\"}")},
                           {"3.jpg", "x"},
                           {"3.json", ""},
                           {"4.jpg", "x"},
                           {"4.json", R"({"label": 1.5})"},
                           {"5.jpg", "x"},
                           {"5.cls", std::string("1\0", 2)},
                           {"6.jpg", "x"},
                           {"6.json", "{bad"},
                           {"6.cls",
                            "\xef\xbb\xbf"
                            "1\n"},
                           {"7.jpg", "x"},
                           {"7.json", R"({"label": 18446744073709551615})"},
                           {"8.jpg", "x"},
                           {"8.cls", " \n"}});
  const auto dataset = Open("x.tar");
  EXPECT_EQ(dataset->size(), 9);
  EXPECT_THAT(dataset->class_names(), ElementsAre("1", "18446744073709551615"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(0, -1, -1, -1, -1, -1, 0, 1, -1));
  EXPECT_THAT(LeftOut(*dataset),
              ElementsAre("labels in members of more than 64 KiB: 1 (x.tar:2.json)",
                          "labels in members that are not JSON: 3 (x.tar:1.json, x.tar:3.json, x.tar:6.json)",
                          "labels that are empty: 1 (x.tar:8.cls)",
                          "labels that are neither a text nor a whole number: 1 (x.tar:4.json)",
                          "labels that are no text: 1 (x.tar:5.cls)"));
}

TEST_F(DatasetTest, EachImageTakesItsOwnLabelAndNoGuess) {
  WriteTar(Path("x.tar"), {{"22.0.jpg", ""},
                           {"22.0.cls", "0"},
                           {"22.1.JPG", ""},
                           {"22.1.CLS", "1"},
                           {"22.2.jpg", ""},
                           {"a/b.c.jpg", ""},
                           {"a/b.cls", "2"},
                           {"d.left.jpg", ""},
                           {"d.right.jpg", ""},
                           {"d.meta.json", R"({"cls": "3"})"},
                           {"e.0.jpg", ""},
                           {"e.0.cls", "4"},
                           {"e.1.jpg", ""},
                           {"f.jpg", ""},
                           {"f.cls", "5"},
                           {"f.CLS", "6"},
                           {"g.jpg", ""},
                           {"g.json", R"({"label": "nine"})"},
                           {"g.cls", "7"}});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Names(*dataset),
              ElementsAre("x.tar:22.0.jpg", "x.tar:22.1.JPG", "x.tar:22.2.jpg", "x.tar:a/b.c.jpg", "x.tar:d.left.jpg",
                          "x.tar:d.right.jpg", "x.tar:e.0.jpg", "x.tar:e.1.jpg", "x.tar:f.jpg", "x.tar:g.jpg"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(0, 1, -1, 2, 3, 3, 4, -1, -1, 7));
  EXPECT_THAT(LeftOut(*dataset),
              ElementsAre("labels of images for which several members stand, none of them their own: 2 "
                          "(x.tar:22.2.jpg, x.tar:e.1.jpg)",
                          "labels that contradict each other: 1 (x.tar:f.CLS)"));
}

TEST_F(DatasetTest, AMemberIsChosenAmongTheImagesOfASample) {
  WriteTar(Path("x.tar"), {{"a/7.left.jpg", "L"},
                           {"a/7.right.jpg", "R"},
                           {"a/7.mask.png", "M"},
                           {"a/7.cls", "3"},
                           {"8.LEFT.JPG", "l"},
                           {"8.jpg", "whole"}});
  EXPECT_EQ(Open("x.tar")->size(), 5);
  const auto left = Dataset::Open(Path("x.tar"), nullptr, "left.jpg").value();
  EXPECT_THAT(Names(*left), ElementsAre("x.tar:8.LEFT.JPG", "x.tar:a/7.left.jpg"));
  EXPECT_THAT(Labels(*left), ElementsAre(-1, 3));
  EXPECT_EQ(left->Read(1).value(), "L");
  EXPECT_THAT(LeftOut(*left), ElementsAre("images that data.members does not choose: 3 "
                                          "(x.tar:8.jpg, x.tar:a/7.mask.png, x.tar:a/7.right.jpg)"));
  EXPECT_THAT(Names(*Dataset::Open(Path("x.tar"), nullptr, "jpg").value()), ElementsAre("x.tar:8.jpg"));
  EXPECT_THAT(Dataset::Open(Path("x.tar"), nullptr, "rgb.png"),
              StatusIs(kNotFound, "images that data.members does not choose: 5"));
  Write("flat/7.left.jpg", "x");
  Write("flat/7.right.jpg", "x");
  const auto folder = Dataset::Open(Path("flat"), nullptr, "left.jpg").value();
  EXPECT_EQ(folder->size(), 2);
  EXPECT_THAT(folder->contents().notes(), ElementsAre(HasSubstr("this is a folder: all are taken")));
}

TEST_F(DatasetTest, MoreShardsThanDescriptors) {
  ASSERT_OK(MakeDirs(Path("shards")));
  for (int i = 100; i < 150; ++i) WriteTar(Path(absl::StrCat("shards/", i, ".tar")), {{"0.jpg", absl::StrCat(i)}});
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few = {40, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto dataset = Dataset::Open(Path("shards"));
  std::vector<std::string> read;
  for (int turn = 0; dataset.ok() && turn < 2; ++turn) {
    for (int64_t i = 0; i < (*dataset)->size(); ++i) read.push_back((*dataset)->Read(i).value_or("unread"));
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_OK(dataset);
  ASSERT_EQ(read.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(read[i], absl::StrCat(100 + i % 50));
}

TEST_F(DatasetTest, FlatFolderIsSortedByBytesAndHasNoLabels) {
  for (const char* name : {"b.jpg", "B.PNG", "a.jpeg", "c.webp", "notes.txt", ".hidden.jpg"}) {
    Write(absl::StrCat("flat/", name), name);
  }
  const auto dataset = Open("flat");
  EXPECT_THAT(Names(*dataset), ElementsAre("B.PNG", "a.jpeg", "b.jpg", "c.webp"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(-1, -1, -1, -1));
  EXPECT_TRUE(dataset->class_names().empty());
  EXPECT_EQ(dataset->Read(1).value(), "a.jpeg");
}

TEST_F(DatasetTest, ClassFoldersAreTheLabels) {
  Write("tree/dog/2.jpg", "x");
  Write("tree/cat/1.jpg", "x");
  Write("tree/cat/deeper/9.jpg", "x");
  Write("tree/loose.jpg", "x");
  const auto dataset = Open("tree");
  EXPECT_THAT(Names(*dataset), ElementsAre("cat/1.jpg", "cat/deeper/9.jpg", "dog/2.jpg", "loose.jpg"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(0, 0, 1, -1));
  EXPECT_THAT(dataset->class_names(), ElementsAre("cat", "dog"));
}

TEST_F(DatasetTest, TarMembersAreReadWhereTheyLie) {
  // A name over 100 bytes needs an extended header, and an odd size padding: both move what follows.
  const std::string long_name = std::string(180, 'n') + ".jpg";
  WriteTar(Path("x.tar"),
           {{long_name, std::string(777, 'L')}, {"a.jpg", "first"}, {"empty.png", ""}, {"z.webp", "last"}});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Names(*dataset), ElementsAre("x.tar:a.jpg", "x.tar:empty.png", "x.tar:" + long_name, "x.tar:z.webp"));
  EXPECT_EQ(dataset->Read(0).value(), "first");
  EXPECT_EQ(dataset->Read(1).value(), "");
  EXPECT_EQ(dataset->Read(2).value(), std::string(777, 'L'));
  EXPECT_EQ(dataset->Read(3).value(), "last");
}

TEST_F(DatasetTest, ShardsOfAFolderAreOneDataSet) {
  ASSERT_OK(MakeDirs(Path("shards")));
  WriteTar(Path("shards/b.tar"), {{"0.jpg", "b0"}});
  WriteTar(Path("shards/a.tar"), {{"1.jpg", "a1"}, {"0.jpg", "a0"}});
  const auto dataset = Open("shards");
  EXPECT_THAT(Names(*dataset), ElementsAre("a.tar:0.jpg", "a.tar:1.jpg", "b.tar:0.jpg"));
  EXPECT_EQ(dataset->Read(0).value(), "a0");
  EXPECT_EQ(dataset->Read(2).value(), "b0");
}

TEST_F(DatasetTest, LabelsComeFromMembersOfTheSameKey) {
  WriteTar(Path("x.tar"), {{"0.jpg", ""},
                           {"0.cls", "dog\n"},
                           {"d/1.jpg", ""},
                           {"d/1.json", R"({"label": "cat", "w": 3})"},
                           {"2.seg.jpg", ""},
                           {"2.json", R"({"cls": "dog"})"},
                           {"3.jpg", ""},
                           {"1.cls", "elk"}});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Names(*dataset), ElementsAre("x.tar:0.jpg", "x.tar:2.seg.jpg", "x.tar:3.jpg", "x.tar:d/1.jpg"));
  EXPECT_THAT(dataset->class_names(), ElementsAre("cat", "dog"));
  EXPECT_THAT(Labels(*dataset), ElementsAre(1, 1, -1, 0));
}

TEST_F(DatasetTest, NumberedClassesKeepTheirNumbers) {
  WriteTar(Path("x.tar"), {{"0.jpg", ""}, {"0.cls", "10"}, {"1.jpg", ""}, {"1.json", R"({"label": 2})"}});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Labels(*dataset), ElementsAre(10, 2));
  EXPECT_EQ(dataset->class_names().size(), 11u);
}

TEST_F(DatasetTest, HostileNamesAreOnlyText) {
  WriteTar(Path("x.tar"), {{"../../escape.jpg", "up"}, {"/etc/absolute.jpg", "root"}, {"plain.jpg", "plain"}});
  const auto before = std::distance(std::filesystem::recursive_directory_iterator(dir_.path()), {});
  const auto dataset = Open("x.tar");
  EXPECT_THAT(Names(*dataset), ElementsAre("x.tar:../../escape.jpg", "x.tar:/etc/absolute.jpg", "x.tar:plain.jpg"));
  EXPECT_EQ(dataset->Read(0).value(), "up");
  EXPECT_EQ(dataset->Read(1).value(), "root");
  EXPECT_EQ(std::distance(std::filesystem::recursive_directory_iterator(dir_.path()), {}), before);
  EXPECT_FALSE(FileExists("/etc/absolute.jpg"));
}

TEST_F(DatasetTest, DigestIsOfSortedNamesAndSizes) {
  Write("one/b.jpg", "22");
  Write("one/a.jpg", "1");
  Write("two/a.jpg", "9");
  Write("two/b.jpg", "88");
  Write("three/a.jpg", "1");
  Write("three/b.jpg", "333");
  const std::string expected = Sha256Hex(absl::string_view("a.jpg\0001\nb.jpg\0002\n", 16));
  EXPECT_EQ(Open("one")->digest(), expected);
  EXPECT_EQ(Open("two")->digest(), expected);
  EXPECT_NE(Open("three")->digest(), expected);
}

TEST_F(DatasetTest, NothingToReadIsNotFoundWithWhatWasFound) {
  EXPECT_THAT(Dataset::Open(Path("absent")), StatusIs(kNotFound, "absent: no such file or folder"));
  Write("photo.jpg", "x");
  EXPECT_THAT(Dataset::Open(Path("photo.jpg/below")), StatusIs(kNotFound, "no such file or folder"));
  ASSERT_EQ(symlink("nowhere", Path("dangling").c_str()), 0);
  EXPECT_THAT(Dataset::Open(Path("dangling")), StatusIs(kNotFound, "no such file or folder"));
  ASSERT_OK(MakeDirs(Path("empty")));
  EXPECT_THAT(Dataset::Open(Path("empty")), StatusIs(kNotFound, "no images in it: 0 files"));
  Write("texts/a.txt", "x");
  EXPECT_THAT(Dataset::Open(Path("texts")), StatusIs(kNotFound, "1 files, of which 0 end in .jpg"));
  WriteTar(Path("empty.tar"), {});
  EXPECT_THAT(Dataset::Open(Path("empty.tar")), StatusIs(kNotFound, "no images in it: 1 tar files with 0 members"));
  Write("zero.tar", "");
  EXPECT_THAT(Dataset::Open(Path("zero.tar")), StatusIs(kNotFound, "no images in it"));
}

TEST_F(DatasetTest, WhatIsThereAndOfTheWrongKindIsInvalidAndNotOpened) {
  Write("photo.jpg", "x");
  EXPECT_THAT(Dataset::Open(Path("photo.jpg")), StatusIs(kInvalid, "neither a folder nor a .tar"));
  ASSERT_EQ(mkfifo(Path("pipe.tar").c_str(), 0600), 0);  // to open it would wait for a writer
  EXPECT_THAT(Dataset::Open(Path("pipe.tar")), StatusIs(kInvalid, "a pipe, socket or device"));
  EXPECT_THAT(Dataset::Open("/dev/zero"), StatusIs(kInvalid, "a pipe, socket or device"));
  EXPECT_THAT(Dataset::Open(Path(std::string(5000, 'x'))), StatusIs(kInvalid, "File name too long"));
}

TEST_F(DatasetTest, OnlyRegularFilesAreSamplesAndTheRestIsCountedAndNotOpened) {
  Write("mixed/good.jpg", "x");
  ASSERT_OK(MakeDirs(Path("mixed/folder.jpg")));
  Write("elsewhere/far.jpg", "far away");
  ASSERT_EQ(symlink("../elsewhere/far.jpg", Path("mixed/link.jpg").c_str()), 0);
  const auto before = Open("mixed");
  ASSERT_EQ(mkfifo(Path("mixed/pipe.jpg").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo(Path("mixed/pipe.tar").c_str(), 0600), 0);
  ASSERT_EQ(symlink("pipe.jpg", Path("mixed/linked_pipe.jpg").c_str()), 0);
  ASSERT_EQ(symlink("nowhere.jpg", Path("mixed/dangling.jpg").c_str()), 0);
  ASSERT_EQ(symlink("loop.jpg", Path("mixed/loop.jpg").c_str()), 0);
  ASSERT_EQ(symlink(".", Path("mixed/self").c_str()), 0);
  ASSERT_EQ(symlink("/dev/zero", Path("mixed/device.png").c_str()), 0);
  const auto dataset = Open("mixed");
  EXPECT_THAT(Names(*dataset), ElementsAre("good.jpg", "link.jpg"));
  EXPECT_EQ(dataset->Read(1).value(), "far away");
  EXPECT_EQ(dataset->digest(), before->digest());
  std::filesystem::remove(Path("mixed/good.jpg"));
  std::filesystem::remove(Path("mixed/link.jpg"));
  EXPECT_THAT(
      Dataset::Open(Path("mixed")),
      StatusIs(kNotFound,
               AllOf(HasSubstr("pipes, sockets or devices: 4"), HasSubstr("links to folders that they lie in: 1"),
                     HasSubstr("links to nothing or files that vanished: 2"), HasSubstr("dangling.jpg"))));
}

TEST_F(DatasetTest, ListingIsCounted) {
  ASSERT_OK(MakeDirs(Path("flat")));
  for (int i = 0; i < 2100; ++i) {
    std::ofstream(Path(absl::StrCat("flat/", i, ".jpg"))) << "x";  // not synced, which takes long
  }
  Progress progress;
  ASSERT_OK(Dataset::Open(Path("flat"), &progress));
  EXPECT_GE(progress.count(), 2100);
  EXPECT_EQ(progress.doing(), "lists images (2000 so far)");
  WriteTar(Path("x.tar"), {{"0.jpg", ""}, {"1.jpg", ""}, {"2.jpg", ""}});
  const int64_t before = progress.count();
  ASSERT_OK(Dataset::Open(Path("x.tar"), &progress));
  EXPECT_GE(progress.count(), before + 3);
  EXPECT_EQ(progress.doing(), "lists shards (1 of 1 so far)");
}

TEST_F(DatasetTest, NamesAreBytesAndMessagesAreText) {
  const std::string odd = "caf\xe9\x1b[31m\n.jpg";
  Write("odd/" + odd, "12345");
  const auto dataset = Open("odd");
  EXPECT_EQ(dataset->name(0), odd);
  EXPECT_EQ(dataset->digest(), Sha256Hex(absl::StrCat(odd, absl::string_view("\0", 1), "5\n")));
  Write("odd/" + odd, "");
  EXPECT_THAT(dataset->Read(0), StatusIs(kAway, "caf\\xe9\\x1b[31m\\x0a.jpg: has 0 bytes"));
  EXPECT_THAT(Dataset::Open(Path("absent\x1b\xff")), StatusIs(kNotFound, "absent\\x1b\\xff: no such"));
  WriteTar(Path("x\x1b.tar"), {{odd, "x"}, {"\x1b.jpg", ""}, {"\x1b.json", "{"}});
  EXPECT_THAT(LeftOut(*Open("x\x1b.tar")),
              ElementsAre("labels in members that are not JSON: 1 (x\\x1b.tar:\\x1b.json)"));
}

TEST_F(DatasetTest, DamagedTarsAreRefusedByName) {
  Write("text.tar", std::string(2000, 't'));
  EXPECT_THAT(Dataset::Open(Path("text.tar")), StatusIs(kInvalid, "text.tar: not a readable tar"));
  WriteTar(Path("whole.tar"), {{"a.jpg", std::string(3000, 'a')}, {"b.jpg", std::string(3000, 'b')}});
  const std::string whole = ReadFile(Path("whole.tar")).value();
  Write("cut.tar", whole.substr(0, 6000));  // inside b.jpg
  EXPECT_THAT(Dataset::Open(Path("cut.tar")), StatusIs(kInvalid, "after member \"a.jpg\""));
}

TEST_F(DatasetTest, ShardsBesideImagesAreAmbiguous) {
  Write("mixed/a.jpg", "x");
  WriteTar(Path("mixed/b.tar"), {{"c.jpg", "x"}});
  EXPECT_THAT(Dataset::Open(Path("mixed")), StatusIs(kInvalid, "1 tar shards and 1 images"));
}

TEST_F(DatasetTest, WhatIsNotAsItWasListedIsAwayUntilItIsAgain) {
  for (const char* name : {"a", "b", "c", "d", "e"}) Write(absl::StrCat("flat/", name, ".jpg"), "12345");
  const auto dataset = Open("flat");
  std::filesystem::remove(Path("flat/a.jpg"));
  Write("flat/b.jpg", "12");
  Write("flat/c.jpg", "1234567");
  std::filesystem::remove(Path("flat/d.jpg"));
  ASSERT_EQ(mkfifo(Path("flat/d.jpg").c_str(), 0600), 0);
  EXPECT_THAT(dataset->Read(0), StatusIs(kAway, "flat/a.jpg: No such file or directory"));
  EXPECT_THAT(dataset->Read(1), StatusIs(kAway, "flat/b.jpg: has 2 bytes, and had 5 when it was listed"));
  EXPECT_THAT(dataset->Read(2), StatusIs(kAway, "has 7 bytes, and had 5"));
  EXPECT_THAT(dataset->Read(3), StatusIs(kAway, "not a regular file"));
  EXPECT_OK(dataset->Read(4));
  std::filesystem::rename(Path("flat"), Path("gone"));
  EXPECT_THAT(dataset->Read(4), StatusIs(kAway, "No such file or directory"));
  Write("flat", "a file in the folder's place");
  EXPECT_THAT(dataset->Read(4), StatusIs(kAway, "Not a directory"));
  std::filesystem::remove(Path("flat"));
  std::filesystem::remove(Path("gone/d.jpg"));
  std::filesystem::rename(Path("gone"), Path("flat"));
  for (const char* name : {"a", "b", "c", "d"}) Write(absl::StrCat("flat/", name, ".jpg"), "67890");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(dataset->Read(i).value(), "67890");
  EXPECT_EQ(dataset->Read(4).value(), "12345");
}

TEST_F(DatasetTest, TooManyOpenFilesAreNoBadSample) {
  Write("flat/a.jpg", "12345");
  const auto dataset = Open("flat");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto read = dataset->Read(0);
  const auto opened = Dataset::Open(Path("flat"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(read, StatusIs(kAway, "Too many open files"));
  EXPECT_THAT(opened, StatusIs(kAway, "Too many open files"));
  EXPECT_OK(dataset->Read(0));
}

// The descriptor under which this process has `path` open.
int DescriptorOf(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (std::filesystem::read_symlink(entry.path(), ignored) == path) {
      return std::stoi(entry.path().filename().string());
    }
  }
  return -1;
}

TEST_F(DatasetTest, AnOpenShardOutlivesItsNameAndADeadOneIsOpenedAgain) {
  WriteTar(Path("x.tar"), {{"0.jpg", "first"}, {"1.jpg", "second"}});
  const auto dataset = Open("x.tar");
  std::filesystem::rename(Path("x.tar"), Path("aside"));
  EXPECT_EQ(dataset->Read(0).value(), "first") << "it is open";
  const int shard = DescriptorOf(Path("aside"));
  ASSERT_GE(shard, 0);
  // From now on a read of it fails, as it does with the file of a mount that went away: it is open for writing only.
  const int dead = open("/dev/null", O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(dup2(dead, shard), shard);
  close(dead);
  EXPECT_THAT(dataset->Read(0), StatusIs(kAway, "x.tar: Bad file descriptor"));
  EXPECT_THAT(dataset->Read(0), StatusIs(kAway, "x.tar: No such file or directory"));
  Write("x.tar", "short");
  EXPECT_THAT(dataset->Read(0), StatusIs(kAway, "has 5 bytes, and had"));
  std::filesystem::rename(Path("aside"), Path("x.tar"));
  EXPECT_EQ(dataset->Read(0).value(), "first");
  EXPECT_EQ(dataset->Read(1).value(), "second");
}

TEST_F(DatasetTest, FilesOverTheLimitAreDataLoss) {
  Write("flat/a.jpg", "x");
  std::filesystem::resize_file(Path("flat/a.jpg"), limits::kImageFileBytes + 1);  // sparse
  EXPECT_THAT(Open("flat")->Read(0), StatusIs(absl::StatusCode::kDataLoss, "at most 268435456"));
}

TEST_F(DatasetTest, ThreadsReadAtOnce) {
  std::vector<std::pair<std::string, std::string>> members;
  for (int i = 100; i < 200; ++i) members.emplace_back(absl::StrCat(i, ".jpg"), std::string(i, static_cast<char>(i)));
  WriteTar(Path("x.tar"), members);
  const auto dataset = Open("x.tar");
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 100; ++i) wrong[t] += dataset->Read(i).value() != members[i].second;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

}  // namespace
}  // namespace mimeo
