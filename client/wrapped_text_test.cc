#include "client/wrapped_text.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(WrappedTextTest, BreaksBetweenWords) {
  EXPECT_EQ(WrappedText("one two three four", 9), "one two\nthree\nfour\n");
  EXPECT_EQ(WrappedText("one two three four", 9, 2), "one two\n  three\n  four\n");
  EXPECT_EQ(WrappedText("one two", 7), "one two\n");
  EXPECT_EQ(WrappedText("", 7), "\n");
}

TEST(WrappedTextTest, AWordThatIsTooLongStandsAlone) {
  EXPECT_EQ(WrappedText("a verylongword b", 5, 1), "a\n verylongword\n b\n");
}

// Each of these characters takes two columns.
TEST(WrappedTextTest, CountsColumnsAndNotBytes) {
  EXPECT_EQ(WrappedText("\xe6\x9c\xac\xe6\x9c\xac ab", 7), "\xe6\x9c\xac\xe6\x9c\xac ab\n");
  EXPECT_EQ(WrappedText("\xe6\x9c\xac\xe6\x9c\xac ab", 6), "\xe6\x9c\xac\xe6\x9c\xac\nab\n");
}

}  // namespace
}  // namespace mimeo
