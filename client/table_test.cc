#include "client/table.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(TableTest, AlignsColumnsByCharacters) {
  EXPECT_EQ(TableText({{"JOB", "NAME"}, {"j100", "a b"}}), "JOB   NAME\nj100  a b\n");
  EXPECT_EQ(TableText({{"\xc3\xa9\xc3\xa9", "x"}, {"abc", "y"}}), "\xc3\xa9\xc3\xa9   x\nabc  y\n");
  EXPECT_EQ(TableText({}), "");
}

TEST(TableTest, ComesInPartsAndOneCellStaysOneCell) {
  Table table({"A", "B"});
  table.Add({"long", "1"});
  EXPECT_EQ(table.Take(), "A     B\nlong  1\n");
  table.Add({"a\nmimeo: done", "\x1b[2J"});
  EXPECT_EQ(table.Take(), "a\\x0amimeo: done  \\x1b[2J\n");
  table.Add({std::string(5000, 'x'), "2"});
  table.Add({"y", "3"});
  EXPECT_LT(table.Take().size(), 5000u) << "a long cell is cut, and widens no other row";
}

}  // namespace
}  // namespace mimeo
