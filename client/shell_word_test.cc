#include "client/shell_word.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(ShellWordTest, WhatNeedsNoQuotesHasNone) {
  EXPECT_EQ(ShellWord("/home/me/out-1/encoder_2.x"), "/home/me/out-1/encoder_2.x");
  EXPECT_EQ(ShellWord("teacher=a/b,c"), "teacher=a/b,c");
}

TEST(ShellWordTest, WhatAShellWouldReadOtherwiseIsQuoted) {
  EXPECT_EQ(ShellWord("my photos"), "'my photos'");
  EXPECT_EQ(ShellWord("$(rm) `x` * \\"), "'$(rm) `x` * \\'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord("caf\xc3\xa9"), "'caf\xc3\xa9'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(ShellWordTest, BytesThatAreNoTextAreWrittenOut) {
  EXPECT_EQ(ShellWord("a\nb"), "$'a\\x0ab'");
  EXPECT_EQ(ShellWord("caf\xe9's\x1b"), "$'caf\\xe9\\x27s\\x1b'");
}

}  // namespace
}  // namespace mimeo
