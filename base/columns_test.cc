#include "base/columns.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(ColumnsTest, WideCharactersTakeTwoAndAccentsNone) {
  EXPECT_EQ(ColumnsOf(""), 0u);
  EXPECT_EQ(ColumnsOf("photos"), 6u);
  EXPECT_EQ(ColumnsOf("caf\u00e9"), 4u);
  EXPECT_EQ(ColumnsOf("cafe\u0301"), 4u) << "the accent is a character of its own";
  EXPECT_EQ(ColumnsOf("\u5199\u771f"), 4u) << "Chinese";
  EXPECT_EQ(ColumnsOf("\u30ab\u30e1\u30e9"), 6u) << "Japanese";
  EXPECT_EQ(ColumnsOf("\uc0ac\uc9c4"), 4u) << "Korean";
  EXPECT_EQ(ColumnsOf("\U0001F600"), 2u) << "a picture";
  EXPECT_EQ(ColumnsOf("\u0444\u03c6\u2026"), 3u) << "Cyrillic, Greek, three dots";
}

TEST(ColumnsTest, TheEndsOfARangeAreInIt) {
  EXPECT_EQ(ColumnsOf("\u10ff\u1100\u115f\u1160"), 6u);
  EXPECT_EQ(ColumnsOf("\u02ff\u0300\u036f\u0370"), 2u);
  EXPECT_EQ(ColumnsOf("\U0003FFFD\U0010FFFD"), 3u);
}

TEST(ColumnsTest, ABeginningIsCutBetweenCharactersAndKeepsItsAccents) {
  EXPECT_EQ(FirstColumns("photos", 3), "pho");
  EXPECT_EQ(FirstColumns("photos", 100), "photos");
  EXPECT_EQ(FirstColumns("photos", 0), "");
  EXPECT_EQ(FirstColumns("\u5199\u771f", 3), "\u5199") << "half a character is none";
  EXPECT_EQ(FirstColumns("e\u0301e\u0301", 1), "e\u0301");
}

}  // namespace
}  // namespace mimeo
