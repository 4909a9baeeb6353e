#include "base/foreign_file.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

struct Case {
  std::string bytes;
  const char* what;
  const char* advice;
};

TEST(ForeignFileTest, SaysWhatItIsAndWhatToDo) {
  const Case cases[] = {
      {"", "empty", "download the file again"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 343229816\n",
       "a Git LFS pointer, which stands for a file of 343229816 bytes", "`git lfs pull`"},
      {"version https://git-lfs.github.com/spec/v1\r\noid sha256:4d7a\r\n",
       "a Git LFS pointer, which stands for a file:", "`git lfs pull`"},
      {"/annex/objects/SHA256E-s343229816--0d.safetensors\n", "git-annex", "`git annex get`"},
      {"../../.git/annex/objects/Xk/0V/SHA256E-s3--0d.pth/SHA256E-s3--0d.pth", "git-annex", "`git annex get`"},
      {"../../blobs/0d3f5e", "link to \"../../blobs/0d3f5e\"", "take the file"},
      {"\n<!DOCTYPE html>\n<html><head><title>vit.safetensors</title>", "a web page", "/resolve/"},
      {"\xef\xbb\xbf<HTML><body>", "a web page", "download the file itself"},
      {"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>", "XML, which begins with \"<?xml",
       "download the file again"},
      {"{\"error\":\"Repository not found\"}", "JSON text, which begins with \"{\"error\":\"Repository not found\"}\"",
       "download the file again"},
      {"{\"metadata\": {}, \"weight_map\": {}}", "the index of a model's shards", ".index.json"},
      {"404: Not Found", "text, which begins with \"404: Not Found\"", "download the file again"},
      {"Invalid username or password.", "text, which begins with \"Invalid", "download the file again"},
      {"\xff\xfe{\0}\0", "UTF-16", "download the file again"},
      {std::string(4096, '\0'), "zeros", "download the file again"},
      {"\x1f\x8b\x08", "gzip", "unpack"},
      {std::string(257, 'n') + "ustar", "a tar archive", "unpack"},
      {"\x89HDF\r\n\x1a\n and more", "HDF5", "as safetensors"},
      {"\xff\xd8\xff\xe0", "a JPEG image", "name the file of the weights"},
  };
  for (const Case& tested : cases) {
    const std::string said = ForeignFile(tested.bytes);
    EXPECT_TRUE(absl::StrContains(said, tested.what)) << tested.bytes << "\n" << said;
    EXPECT_TRUE(absl::StrContains(said, tested.advice)) << tested.bytes << "\n" << said;
  }
}

TEST(ForeignFileTest, OfOtherBytesItSaysNothing) {
  EXPECT_EQ(ForeignFile(std::string("\x10\0\0\0\0\0\0\0{}", 10)), "");
  EXPECT_EQ(ForeignFile("\x80\x02}q"), "");
  EXPECT_EQ(ForeignFile("\xfe\xfe\xfe\xfe"), "");
}

TEST(ForeignFileTest, WhatItQuotesIsShortAndText) {
  const std::string said = ForeignFile("{\"error\": \"\xc2\x9b" + std::string(100000, 'x'));
  EXPECT_LT(said.size(), 300u);
  EXPECT_TRUE(absl::StrContains(said, "\\u{009b}") || absl::StrContains(said, "\\u{9b}")) << said;
}

// A page in Japanese is cut somewhere at its 4096th byte, perhaps within a character.
TEST(ForeignFileTest, TextThatIsCutWithinACharacterIsText) {
  for (int before = 0; before < 3; ++before) {
    std::string page(before, 'x');
    while (page.size() < 5000) page += "\xe6\x9c\xac";
    EXPECT_TRUE(absl::StrContains(ForeignFile(page), "it is text")) << before;
  }
}

}  // namespace
}  // namespace mimeo
