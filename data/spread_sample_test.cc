#include "data/spread_sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Items {
  std::vector<int> labels;
  std::vector<std::string> names;
  void Add(int label, int count) {
    for (int i = 0; i < count; ++i) {
      labels.push_back(label), names.push_back(absl::StrCat("class", label, "/", i, ".png"));
    }
  }
  std::map<int, int> CountsOf(const std::vector<int64_t>& chosen) const {
    std::map<int, int> counts;
    for (const int64_t i : chosen) ++counts[labels[i]];
    return counts;
  }
  std::set<std::string> NamesOf(const std::vector<int64_t>& chosen) const {
    std::set<std::string> of;
    for (const int64_t i : chosen) of.insert(names[i]);
    return of;
  }
};

TEST(SpreadOverTest, EachClassHasItsShareByLargestRemainder) {
  Items items;
  items.Add(0, 50);
  items.Add(1, 33);
  items.Add(2, 17);
  // Of 10: 5, 3.3 and 1.7. Of 13: 6.5, 4.29 and 2.21.
  EXPECT_EQ(items.CountsOf(SpreadOver(items.labels, items.names, 10)), (std::map<int, int>{{0, 5}, {1, 3}, {2, 2}}));
  EXPECT_EQ(items.CountsOf(SpreadOver(items.labels, items.names, 13)), (std::map<int, int>{{0, 7}, {1, 4}, {2, 2}}));
  for (int most = 0; most < 100; ++most) {
    const std::vector<int64_t> chosen = SpreadOver(items.labels, items.names, most);
    ASSERT_THAT(chosen, SizeIs(most));
    EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
    EXPECT_EQ(std::set<int64_t>(chosen.begin(), chosen.end()).size(), chosen.size());
  }
}

TEST(SpreadOverTest, AllWhereThereAreNoMore) {
  EXPECT_THAT(SpreadOver({1, 0, -1}, {"a", "b", "c"}, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(SpreadOver({1, 0, -1}, {"a", "b", "c"}, 99), ElementsAre(0, 1, 2));
  EXPECT_THAT(SpreadOver({}, {}, 5), IsEmpty());
}

// Whatever the order of the files and the numbers of the classes; and files that sort before all others take no place
// from them.
TEST(SpreadOverTest, TheOrderOfFilesChoosesNothing) {
  Items items, other;
  items.Add(0, 40);
  items.Add(1, 25);
  items.Add(-1, 10);
  other = items;
  std::reverse(other.labels.begin(), other.labels.end());
  std::reverse(other.names.begin(), other.names.end());
  for (int& label : other.labels) label = 7 - label;
  for (const int most : {1, 2, 9, 30, 74}) {
    EXPECT_EQ(items.NamesOf(SpreadOver(items.labels, items.names, most)),
              other.NamesOf(SpreadOver(other.labels, other.names, most)))
        << most;
  }
}

// With fewer places than classes of one size, no class is given two, and those are given one whose image has the
// smallest hash: neither the first classes, nor whichever a sort of equals brings to the front.
TEST(SpreadOverTest, FewPlacesGoToClassesByHashToo) {
  Items items;
  for (int label = 0; label < 20; ++label) items.Add(label, 5);
  std::map<std::string, std::string> of_class;  // the smallest hash of each, and its name
  for (size_t i = 0; i < items.names.size(); i += 5) {
    std::map<std::string, std::string> hashes;
    for (size_t j = i; j < i + 5; ++j) hashes[Sha256(items.names[j])] = items.names[j];
    of_class.insert(*hashes.begin());
  }
  for (const size_t most : {1u, 10u, 19u}) {
    std::set<std::string> expected;
    for (auto item = of_class.begin(); expected.size() < most; ++item) expected.insert(item->second);
    EXPECT_EQ(items.NamesOf(SpreadOver(items.labels, items.names, static_cast<int64_t>(most))), expected) << most;
  }
}

TEST(SpreadOverTest, WithinAClassItIsNotTheFirstEither) {
  Items items;
  items.Add(0, 1000);
  const std::vector<int64_t> chosen = SpreadOver(items.labels, items.names, 100);
  const auto in_first_half = std::count_if(chosen.begin(), chosen.end(), [](int64_t i) { return i < 500; });
  EXPECT_NEAR(static_cast<double>(in_first_half), 50, 20);
}

TEST(SpreadSampleTest, ChoosesSamplesOfADataSet) {
  TempDir dir;
  for (const char* folder : {"cat", "dog"}) {
    ASSERT_OK(MakeDirs(JoinPath(dir.path(), folder)));
    for (int i = 0; i < 6; ++i) ASSERT_OK(WriteFileAtomic(absl::StrCat(dir.path(), "/", folder, "/", i, ".png"), "x"));
  }
  ASSERT_OK(WriteFileAtomic(JoinPath(dir.path(), "none.png"), "x"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dataset> dataset, Dataset::Open(dir.path()));
  const std::vector<int64_t> all = AllSamples(*dataset), labelled = LabelledAmong(*dataset, all);
  EXPECT_THAT(all, SizeIs(13));
  EXPECT_THAT(labelled, SizeIs(12));
  EXPECT_EQ(SpreadSample(*dataset, labelled, 0), labelled);
  const std::vector<int64_t> four = SpreadSample(*dataset, labelled, 4);
  ASSERT_THAT(four, SizeIs(4));
  EXPECT_EQ(std::count_if(four.begin(), four.end(), [&](int64_t sample) { return dataset->label(sample) == 0; }), 2);
  // Of a part, its own samples and not their places.
  const std::vector<int64_t> two = SpreadSample(*dataset, {9, 10, 11}, 2);
  EXPECT_THAT(two, SizeIs(2));
  for (const int64_t sample : two) EXPECT_GE(sample, 9);
}

}  // namespace
}  // namespace mimeo
