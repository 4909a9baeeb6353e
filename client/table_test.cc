#include "client/table.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

// Without the colours.
std::string TextOf(const std::vector<Span>& spans) {
  std::string text;
  for (const Span& span : spans) text += span.bytes;
  return text;
}

TEST(TableTest, AStateHasTheColourOfWhatItSays) {
  Table table({"JOB", "STATE", "REASON"});
  table.Add({"failed", "failed", "failed"});
  table.Add({"j2", "succeeded", "3 steps"});
  table.Add({"j3", "running", ""});
  std::vector<std::pair<std::string, Colour>> coloured;
  const std::vector<Span> spans = table.Take();
  for (const Span& span : spans) {
    if (span.colour != Colour::kNone) coloured.emplace_back(span.bytes, span.colour);
  }
  EXPECT_EQ(coloured,
            (std::vector<std::pair<std::string, Colour>>{{"failed", Colour::kRed}, {"succeeded", Colour::kGreen}}));
  EXPECT_EQ(TextOf(spans),
            "JOB     STATE      REASON\nfailed  failed     failed\nj2      succeeded  3 steps\nj3      running    \n");
}

// A wide character takes the room of two letters.
TEST(TableTest, AlignsWhatIsNotLatinAsATerminalDrawsIt) {
  EXPECT_EQ(TableText({{"NAME", "N"}, {"\u5199\u771f\u5e33", "1"}, {"e\u0301t\u00e9", "2"}}),
            "NAME    N\n\u5199\u771f\u5e33  1\ne\u0301t\u00e9     2\n");
}

TEST(TableTest, AlignsColumnsByCharacters) {
  EXPECT_EQ(TableText({{"JOB", "NAME"}, {"j100", "a b"}}), "JOB   NAME\nj100  a b\n");
  EXPECT_EQ(TableText({{"\xc3\xa9\xc3\xa9", "x"}, {"abc", "y"}}), "\xc3\xa9\xc3\xa9   x\nabc  y\n");
  EXPECT_EQ(TableText({}), "");
}

TEST(TableTest, ComesInPartsAndOneCellStaysOneCell) {
  Table table({"A", "B"});
  table.Add({"long", "1"});
  EXPECT_EQ(TextOf(table.Take()), "A     B\nlong  1\n");
  table.Add({"a\nmimeo: done", "\x1b[2J"});
  EXPECT_EQ(TextOf(table.Take()), "a\\x0amimeo: done  \\x1b[2J\n");
  table.Add({std::string(5000, 'x'), "2"});
  table.Add({"y", "3"});
  EXPECT_LT(TextOf(table.Take()).size(), 5000u) << "a long cell is cut, and widens no other row";
}

TEST(TableTest, RowsMayHaveMoreOrFewerCellsThanTheHeader) {
  EXPECT_EQ(TableText({{"A", "B"}, {"1"}, {"1", "22", "3"}, {}}), "A  B\n1\n1  22  3\n\n");
  EXPECT_EQ(TableText({{}}), "\n");
  EXPECT_EQ(TextOf(Table({"A", "B"}).Take()), "A  B\n") << "a table without rows";
}

TEST(TableTest, WhatIsNoTextKeepsItsColumnsWidth) {
  EXPECT_EQ(TableText({{"NAME", "N"}, {"caf\xe9", "1"}, {"\xe2\x80\xae", "2"}, {std::string(1, '\0'), "3"}}),
            "NAME      N\ncaf\\xe9   1\n\\u{202e}  2\n\\x00      3\n");
}

// The longest name that a host may have.
TEST(TableTest, AHostNameOf255BytesIsWholeAndWidensNoOtherRow) {
  const std::string host(255, 'h');
  EXPECT_EQ(TableText({{"HOST", "SLOTS"}, {host, "4"}, {"a", "2"}}),
            "HOST" + std::string(58, ' ') + "SLOTS\n" + host + "  4\na" + std::string(61, ' ') + "2\n");
}

}  // namespace
}  // namespace mimeo
