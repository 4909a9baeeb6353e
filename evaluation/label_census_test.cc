#include "evaluation/label_census.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/spread_sample.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LabelCensusTest : public ::testing::Test {
 protected:
  std::unique_ptr<Dataset> Open(const std::string& name, const std::vector<std::pair<std::string, int>>& folders) {
    const std::string root = JoinPath(dir_.path(), name);
    for (const auto& [folder, count] : folders) {
      EXPECT_OK(MakeDirs(JoinPath(root, folder)));
      for (int i = 0; i < count; ++i) EXPECT_OK(WriteFileAtomic(absl::StrCat(root, "/", folder, "/", i, ".png"), "x"));
    }
    return *Dataset::Open(root);
  }

  TempDir dir_;
};

TEST_F(LabelCensusTest, CountsAndNamesWhatIsMeasured) {
  const auto bank = Open("bank", {{"cat", 4}, {"dog", 3}});
  const auto queries = Open("queries", {{"cat", 1}, {"dog", 1}, {"", 1}});
  EXPECT_THAT(DescribeLabels({"--bank", bank.get(), {0, 1, 4}}, {"--data", queries.get(), AllSamples(*queries)}),
              ElementsAre("--bank: 7 of 7 images have a label; 3 of them are measured, in 2 classes",
                          "--data: 2 of 3 images have a label; 2 of them are measured, in 2 classes; left out for want "
                          "of a label: 0.png"));
}

TEST_F(LabelCensusTest, SaysWhatClassesOfOneSideDo) {
  const auto bank = Open("bank", {{"cat", 4}, {"dog", 3}});
  const auto queries = Open("queries", {{"cat", 3}, {"fox\x1b", 1}});
  const auto lines =
      DescribeLabels({"bank", bank.get(), AllSamples(*bank)}, {"path", queries.get(), AllSamples(*queries)});
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[2],
            "path: 1 images of 1 classes that bank does not have: fox\\x1b (1): k-NN can never be right on them, so "
            "that no accuracy can be above 0.750");
  EXPECT_EQ(lines[3], "bank: classes that path lacks, so that each vote for them is wrong: dog (3)");
  EXPECT_EQ(LabelNotes({"bank", bank.get(), AllSamples(*bank)}, {"path", queries.get(), AllSamples(*queries)}),
            std::vector<std::string>(lines.begin() + 2, lines.end()));
}

TEST_F(LabelCensusTest, SetsWithoutACommonClassAreRefusedWithBothLists) {
  const auto bank = Open("bank", {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 2}, {"g", 1}});
  const auto queries = Open("queries", {{"cat\x1b", 2}, {"dog", 1}});
  const auto flat = Open("flat", {{"", 3}});
  const auto check = [](const Dataset& bank, const Dataset& queries) {
    return CheckClassesMeet({"bank", &bank, {}}, {"path", &queries, AllSamples(queries)});
  };
  EXPECT_EQ(
      check(*bank, *queries),
      absl::InvalidArgumentError("path: none of its 2 classes (cat\\x1b, dog) is among the 7 classes of bank (a, b, "
                                 "c, d, e and 2 more), so that every answer would be wrong; both sets need the "
                                 "same names of class folders or labels"));
  EXPECT_OK(check(*bank, *flat));
  EXPECT_OK(check(*flat, *queries));
  const auto more = Open("queries", {{"g", 1}});
  EXPECT_OK(check(*bank, *more));
}

TEST_F(LabelCensusTest, WithoutLabelsItSaysThatNothingIsMeasured) {
  const auto bank = Open("bank", {{"", 9}});
  const auto queries = Open("queries", {{"cat", 3}, {"", 9}});
  const auto lines = DescribeLabels({"bank", bank.get(), {}}, {"path", queries.get(), AllSamples(*queries)});
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], HasSubstr("bank: none of its 9 images has a label, so that no accuracy is measured"));
  EXPECT_THAT(lines[1], HasSubstr("left out for want of a label: 0.png, 1.png, 2.png, 3.png, 4.png and 4 more"));
  EXPECT_EQ(LabelNotes({"bank", bank.get(), {}}, {"path", queries.get(), AllSamples(*queries)}), lines);
}

}  // namespace
}  // namespace mimeo
