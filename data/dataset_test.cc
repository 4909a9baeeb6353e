#include "data/dataset.h"

#include <filesystem>
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

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;
using testing::WriteTar;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

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

  TempDir dir_;
};

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
  WriteTar(Path("x.tar"), {{long_name, std::string(777, 'L')}, {"a.jpg", "first"}, {"empty.png", ""}, {"z.webp", "last"}});
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
  WriteTar(Path("x.tar"), {{"0.jpg", ""}, {"0.cls", "dog\n"}, {"d/1.jpg", ""}, {"d/1.json", R"({"label": "cat", "w": 3})"},
                           {"2.seg.jpg", ""}, {"2.json", R"({"cls": "dog"})"}, {"3.jpg", ""}, {"1.cls", "elk"}});
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

TEST_F(DatasetTest, NothingToReadIsRefusedWithWhatWasFound) {
  EXPECT_THAT(Dataset::Open(Path("absent")), StatusIs(kInvalid, "no such file or folder"));
  ASSERT_OK(MakeDirs(Path("empty")));
  EXPECT_THAT(Dataset::Open(Path("empty")), StatusIs(kInvalid, "no images in it: 0 files"));
  Write("texts/a.txt", "x");
  EXPECT_THAT(Dataset::Open(Path("texts")), StatusIs(kInvalid, "1 files, of which 0 end in .jpg"));
  WriteTar(Path("empty.tar"), {});
  EXPECT_THAT(Dataset::Open(Path("empty.tar")), StatusIs(kInvalid, "no images in it: 1 tar files with 0 members"));
  Write("zero.tar", "");
  EXPECT_THAT(Dataset::Open(Path("zero.tar")), StatusIs(kInvalid, "no images in it"));
  Write("photo.jpg", "x");
  EXPECT_THAT(Dataset::Open(Path("photo.jpg")), StatusIs(kInvalid, "neither a folder nor a .tar"));
}

TEST_F(DatasetTest, DamagedTarsAreRefusedByName) {
  Write("text.tar", std::string(2000, 't'));
  EXPECT_THAT(Dataset::Open(Path("text.tar")), StatusIs(kInvalid, "text.tar: not a readable tar"));
  WriteTar(Path("whole.tar"), {{"a.jpg", std::string(3000, 'a')}, {"b.jpg", std::string(3000, 'b')}});
  const std::string whole = ReadFile(Path("whole.tar")).value();
  Write("cut.tar", whole.substr(0, 6000));  // inside b.jpg
  EXPECT_THAT(Dataset::Open(Path("cut.tar")), StatusIs(kInvalid, "after member \"a.jpg\""));
  WriteTar(Path("json.tar"), {{"a.jpg", "x"}, {"a.json", "{not json"}});
  EXPECT_THAT(Dataset::Open(Path("json.tar")), StatusIs(kInvalid, "\"a.json\" is not JSON"));
  WriteTar(Path("large.tar"), {{"a.jpg", "x"}, {"a.cls", std::string(70000, '1')}});
  EXPECT_THAT(Dataset::Open(Path("large.tar")), StatusIs(kInvalid, "at most 65536"));
}

TEST_F(DatasetTest, ShardsBesideImagesAreAmbiguous) {
  Write("mixed/a.jpg", "x");
  WriteTar(Path("mixed/b.tar"), {{"c.jpg", "x"}});
  EXPECT_THAT(Dataset::Open(Path("mixed")), StatusIs(kInvalid, "1 tar shards and 1 images"));
}

TEST_F(DatasetTest, WhatVanishedOrShrankSinceIsDataLoss) {
  Write("flat/a.jpg", "12345");
  Write("flat/b.jpg", "12345");
  Write("flat/c.jpg", "12345");
  const auto dataset = Open("flat");
  std::filesystem::remove(Path("flat/a.jpg"));
  Write("flat/b.jpg", "12");
  EXPECT_THAT(dataset->Read(0), StatusIs(absl::StatusCode::kDataLoss, "No such file"));
  EXPECT_THAT(dataset->Read(1), StatusIs(absl::StatusCode::kDataLoss, "ends after 2 of 5 bytes"));
  EXPECT_OK(dataset->Read(2));
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
