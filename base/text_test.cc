#include "base/text.h"

#include "gtest/gtest.h"
#include "proto/metrics.pb.h"

namespace mimeo {
namespace {

using namespace std::string_literals;

TEST(TextTest, TextStaysAsItIs) {
  EXPECT_EQ(ToText("photos/caf\u00e9 \u65e5\u672c\u8a9e \U0001F600.jpg"),
            "photos/caf\u00e9 \u65e5\u672c\u8a9e \U0001F600.jpg");
  EXPECT_EQ(ToText("C:\\photos"), "C:\\photos");
  EXPECT_EQ(ToText(""), "");
}

TEST(TextTest, WhatIsNoTextIsWrittenOut) {
  EXPECT_EQ(ToText("caf\xe9.jpg"), "caf\\xe9.jpg");
  EXPECT_EQ(ToText("a\x1b[31mred\x07"), "a\\x1b[31mred\\x07");
  EXPECT_EQ(ToText("a\0b"s), "a\\x00b");
  EXPECT_EQ(ToText("a\nb\tc\r"), "a\\x0ab\\x09c\\x0d");
  EXPECT_EQ(ToText("\u009b31m"), "\\u{9b}31m") << "the one-byte escape of an 8-bit terminal";
  EXPECT_EQ(ToText("gpj.\u202Eexe"), "gpj.\\u{202e}exe");
}

TEST(TextTest, LinesKeepNewLinesAndTabs) { EXPECT_EQ(ToLines("a\n\tb\r\n\x1b[2J"), "a\n\tb\\x0d\n\\x1b[2J"); }

TEST(TextTest, OnlyShortestFormsOfUnicodeAreUtf8) {
  EXPECT_EQ(ToText("\xc0\xaf"), "\\xc0\\xaf") << "an overlong slash";
  EXPECT_EQ(ToText("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(ToText("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(ToText("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above U+10FFFF";
  EXPECT_EQ(ToText("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf");
  EXPECT_EQ(ToText("\xe6\x97"), "\\xe6\\x97") << "cut inside a character";
}

TEST(TextTest, EveryCutLeavesValidUtf8WithinTheBound) {
  const std::string name = "\u65e5\u672c\u8a9e\xe9\x1b\u00e9\U0001F600";
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += name;
  for (size_t most = 8; most < bytes.size(); ++most) {
    for (const std::string& text : {ToText(bytes, most), ToLines(bytes, most)}) {
      EXPECT_LE(text.size(), most);
      EXPECT_GE(text.size() + 4 + 8, most) << "little is lost to the cut";
      EXPECT_TRUE(IsUtf8(text)) << most;
      EXPECT_EQ(text.substr(text.size() - 4), " ...");
      EXPECT_EQ(ToText(text, most), text) << "made once more, it stays";
    }
  }
}

TEST(TextTest, ABoundThatFitsCutsNothing) {
  EXPECT_EQ(ToText("12345678", 8), "12345678");
  EXPECT_EQ(ToText("123456789", 8), "1234 ...");
}

TEST(TextTest, TenMegabytesCostNoMoreThanTheBound) {
  const std::string text = ToText(std::string(10 << 20, '\xff'));
  EXPECT_LE(text.size(), static_cast<size_t>(limits::kReasonBytes));
}

// What a proto's string field demands, at every cut of every length of character.
TEST(TextTest, WhatIsMadeReadsBackFromAProto) {
  const std::string bytes = "a\u00e9\u65e5\U0001F600\x80\xff\x1b\0z"s;
  for (size_t begin = 0; begin < bytes.size(); ++begin) {
    for (size_t end = begin; end <= bytes.size(); ++end) {
      StepMetrics written, read;
      (*written.mutable_terms())[ToText(absl::string_view(bytes).substr(begin, end - begin))] = 1;
      EXPECT_TRUE(read.ParseFromString(written.SerializeAsString())) << begin << " " << end;
    }
  }
}

TEST(TextTest, IsUtf8Tells) {
  EXPECT_TRUE(IsUtf8("caf\u00e9"));
  EXPECT_TRUE(IsUtf8("a\x1b"));
  EXPECT_FALSE(IsUtf8("caf\xe9"));
}

}  // namespace
}  // namespace mimeo
