#include "model/weights/shard_index.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::StatusIs;

std::string Index(const std::string& map) {
  return absl::StrCat(R"({"metadata": {"total_size": 8}, "weight_map": {)", map, "}}");
}

TEST(ShardIndexTest, SaysWhichKeysAreInWhichFile) {
  ASSERT_OK_AND_ASSIGN(
      const ShardIndex index,
      ParseShardIndex(Index(R"("a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors")")));
  EXPECT_THAT(index,
              ElementsAre(Pair("m-1.safetensors", ElementsAre("b")), Pair("m-2.safetensors", ElementsAre("a", "c"))));
}

TEST(ShardIndexTest, NamesThatLeadOutOfTheFolderAreRefused) {
  for (const char* name : {"", ".", "..", "../m", "/m", "sub/m", "sub\\\\m", "m\\u0000"}) {
    EXPECT_THAT(ParseShardIndex(Index(absl::StrCat("\"a\": \"", name, "\""))),
                StatusIs(absl::StatusCode::kInvalidArgument, "for \"a\"; it should be the name of a file"))
        << name;
  }
  EXPECT_THAT(ParseShardIndex(Index(R"("a": 1, "b": ["m"])")),
              StatusIs(absl::StatusCode::kInvalidArgument, "weight_map has 1"));
}

TEST(ShardIndexTest, WhatIsNoIndexIsRefused) {
  EXPECT_THAT(ParseShardIndex(Index(R"("a": "m", "b": "m", "a": "n")")),
              StatusIs(absl::StatusCode::kInvalidArgument, "names the tensor \"a\" twice"));
  for (const char* text : {"{}", R"({"weight_map": {}})", R"({"weight_map": []})"}) {
    EXPECT_THAT(ParseShardIndex(text), StatusIs(absl::StatusCode::kInvalidArgument, "no `weight_map`")) << text;
  }
  EXPECT_THAT(ParseShardIndex(Index("\"a\": \"m\"").substr(0, 50)),
              StatusIs(absl::StatusCode::kInvalidArgument, "cut off"));
  EXPECT_THAT(ParseShardIndex("version https://git-lfs.github.com/spec/v1\nsize 9\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, "git lfs pull"));
  std::string many;
  for (size_t i = 0; i <= kShards; ++i) absl::StrAppend(&many, i == 0 ? "" : ",", "\"k", i, "\": \"m", i, "\"");
  EXPECT_THAT(ParseShardIndex(Index(many)),
              StatusIs(absl::StatusCode::kInvalidArgument, "names 1001 files; at most 1000"));
}

TEST(ShardIndexTest, AShardOfAnotherModelIsFound) {
  const ShardIndex index = {{"one", {"a", "b"}}, {"two", {"c"}}};
  EXPECT_THAT(CompareShard(index, "one", {"a", "b"}), IsEmpty());
  EXPECT_THAT(CompareShard(index, "one", {"a"}), ElementsAre("one lacks \"b\", which the index has in it"));
  EXPECT_THAT(CompareShard(index, "two", {"a", "c"}), ElementsAre("two holds \"a\", which the index has in one"));
  EXPECT_THAT(CompareShard(index, "two", {"c", "d"}), ElementsAre("two holds \"d\", which the index lacks"));
}

TEST(ShardIndexTest, OneShardIsKnownByItsName) {
  EXPECT_EQ(
      WholeOfShard("w/model-00002-of-00003.safetensors"),
      "it is one of 00003 shards of a model: give the folder, or the index beside it, model.safetensors.index.json");
  for (const char* path :
       {"model.safetensors", "00002-of-00003", "model-2-of-3.safetensors", "-of-", "best-of-worlds.bin"}) {
    EXPECT_EQ(WholeOfShard(path), "") << path;
  }
}

}  // namespace
}  // namespace mimeo
