#include "coordinator/page.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// The numbers of a list of 0 ... count - 1 in pages; each item has so many bytes.
std::vector<int> Pages(int count, int page_size, int64_t bytes) {
  std::vector<int> sizes;
  std::string token;
  int next = 0;
  do {
    absl::StatusOr<Page> page = Page::Open("numbers", page_size, token);
    EXPECT_OK(page);
    EXPECT_EQ(page->after(), next == 0 ? "" : absl::StrCat("n", next - 1));
    const int begin = next;
    while (next < count && page->Takes(absl::StrCat("n", next), bytes)) ++next;
    sizes.push_back(next - begin);
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_EQ(next, count) << "each item once";
  return sizes;
}

TEST(PageTest, HoldsAsManyAsAreAskedForAndNoMoreThanTheBound) {
  EXPECT_EQ(Pages(0, 0, 10), (std::vector<int>{0}));
  EXPECT_EQ(Pages(7, 3, 10), (std::vector<int>{3, 3, 1}));
  EXPECT_EQ(Pages(6, 3, 10), (std::vector<int>{3, 3})) << "no empty last page";
  EXPECT_EQ(Pages(2500, 0, 10), (std::vector<int>{1000, 1000, 500}));
  EXPECT_EQ(Pages(1001, 1 << 30, 10), (std::vector<int>{1000, 1}));
  EXPECT_EQ(Pages(3, -1, 10), (std::vector<int>{3}));
}

TEST(PageTest, HoldsNoMoreBytesThanTheBoundButForOneItem) {
  EXPECT_EQ(Pages(5, 0, limits::kPageBytes / 2 - 16), (std::vector<int>{2, 2, 1}));
  EXPECT_EQ(Pages(4, 0, limits::kPageBytes / 2 - 15), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_EQ(Pages(2, 0, limits::kPageBytes * 3), (std::vector<int>{1, 1}));
}

TEST(PageTest, ATokenIsOfItsListAndNothingElse) {
  absl::StatusOr<Page> page = Page::Open("jobs", 1, "");
  ASSERT_OK(page);
  EXPECT_TRUE(page->Takes("j7", 1));
  EXPECT_FALSE(page->Takes("j6", 1));
  const std::string token = page->next_page_token();
  EXPECT_EQ(Page::Open("jobs", 1, token)->after(), "j7");
  EXPECT_FALSE(Page::Open("workers", 1, token).ok());
  EXPECT_FALSE(Page::Open("jobs", 1, "j7").ok());
  EXPECT_FALSE(Page::Open("jobs", 1, token + "0").ok());
  EXPECT_FALSE(Page::Open("jobs", 1, ":").ok());
  const absl::Status odd = Page::Open("jobs", 1, "\x1b[2J\xff" + std::string(1 << 20, 'x')).status();
  EXPECT_THAT(odd, StatusIs(absl::StatusCode::kInvalidArgument, "page_token: \"\\x1b[2J\\xffx"));
  EXPECT_EQ(odd.message(), ToText(odd.message()));
  EXPECT_LT(odd.message().size(), 300u);
}

}  // namespace
}  // namespace mimeo
