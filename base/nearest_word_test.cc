#include "base/nearest_word.h"

#include <string>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(NearestWordTest, OneLetterWrongMissingTooManyOrSwapped) {
  const std::vector<std::string> verbs = {"run", "list", "show", "metrics", "evaluate"};
  EXPECT_EQ(NearestWord("lst", verbs), "list");
  EXPECT_EQ(NearestWord("lists", verbs), "list");
  EXPECT_EQ(NearestWord("lsit", verbs), "list");
  EXPECT_EQ(NearestWord("shaw", verbs), "show");
  EXPECT_EQ(NearestWord("metrisc", verbs), "metrics");
  EXPECT_EQ(NearestWord("eval", verbs), "evaluate") << "the beginning of a word";
}

TEST(NearestWordTest, NothingIsNearer) {
  EXPECT_EQ(NearestWord("frobnicate", {"run", "list"}), "");
  EXPECT_EQ(NearestWord("", {"run"}), "");
  EXPECT_EQ(NearestWord("x", {}), "");
  EXPECT_EQ(NearestWord(std::string(1 << 20, 'a'), {"aaaa"}), "") << "the work is bounded";
}

TEST(NearestWordTest, OfEqualsTheFirst) { EXPECT_EQ(NearestWord("--oat", {"--out", "--cat"}), "--out"); }

}  // namespace
}  // namespace mimeo
