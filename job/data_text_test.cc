#include "job/data_text.h"

#include <string>
#include <vector>

#include "base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;

PassedOver Row(const std::string& reason, int64_t count, const std::vector<std::string>& names) {
  PassedOver row;
  row.set_reason(reason);
  row.set_count(count);
  for (const std::string& name : names) row.add_names(name);
  return row;
}

TEST(DataTextTest, SaysEachReasonWithItsCountAndNames) {
  DataContents data;
  data.set_field("data.path");
  *data.add_passed_over() = Row("hidden files", 1, {".a\x1b"});
  *data.add_passed_over() = Row("hidden folders", 5, {".b", ".c"});
  *data.add_passed_over() = Row(kOtherKindsReason, 52, {".tif 40", ".bmp 12"});
  data.add_notes("no accuracy is measured");
  EXPECT_THAT(DataLines(data), ElementsAre("data.path leaves out hidden files: 1 (.a\\x1b)",
                                           "data.path leaves out hidden folders: 5 (.b, .c, ...)",
                                           "data.path leaves out files of other kinds: 52 (.tif 40, .bmp 12)",
                                           "no accuracy is measured"));
  EXPECT_TRUE(DataLines(DataContents()).empty());
}

TEST(DataTextTest, WhatIsLongLosesNamesBeforeItLosesCounts) {
  std::vector<DataContents> data(3);
  for (DataContents& one : data) {
    one.set_field("data.path");
    for (int i = 0; i < 14; ++i) {
      *one.add_passed_over() = Row(std::string(70, 'r'), 9, std::vector<std::string>(3, std::string(200, 'n')));
    }
  }
  CutJobData(&data);
  size_t bytes = 0;
  int rows = 0, names = 0;
  for (const DataContents& one : data) {
    bytes += one.ByteSizeLong();
    rows += one.passed_over_size();
    for (const PassedOver& row : one.passed_over()) names += row.names_size();
  }
  EXPECT_LE(bytes, static_cast<size_t>(limits::kJobDataBytes));
  EXPECT_GT(bytes, static_cast<size_t>(limits::kJobDataBytes) - 700) << "no more is taken than must be";
  EXPECT_EQ(rows, 42);
  EXPECT_GT(names, 10);
}

}  // namespace
}  // namespace mimeo
