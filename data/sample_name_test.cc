#include "data/sample_name.h"

#include <string>

#include "absl/strings/match.h"
#include "base/text.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(ShortNameTest, IsTextOnOneLine) {
  EXPECT_EQ(ShortName("cats/1.jpg"), "cats/1.jpg");
  EXPECT_EQ(ShortName("caf\xe9\n\x1b[31m.jpg"), "caf\\xe9\\x0a\\x1b[31m.jpg");
  EXPECT_EQ(ShortName(std::string(200, 'x')), std::string(200, 'x'));
}

TEST(ShortNameTest, ALongNameKeepsItsEndsAndWholeCharacters) {
  for (int shift = 0; shift < 6; ++shift) {
    std::string name(shift, 'a');
    for (int i = 0; i < 500; ++i) name += "袖";
    const std::string text = ShortName(name + "/7.jpg");
    EXPECT_LE(text.size(), 200u);
    EXPECT_GT(text.size(), 180u);
    EXPECT_TRUE(IsUtf8(text));
    EXPECT_TRUE(absl::StartsWith(text, std::string(shift, 'a') + "袖")) << text;
    EXPECT_TRUE(absl::EndsWith(text, "袖/7.jpg")) << text;
    EXPECT_TRUE(absl::StrContains(text, " ...")) << text;
  }
}

TEST(ShortNameTest, HostileNamesStayShort) {
  EXPECT_LE(ShortName(std::string(10 << 20, '\x1b')).size(), 200u);
  EXPECT_LE(ShortName(std::string(10 << 20, '\xff')).size(), 200u);
}

}  // namespace
}  // namespace mimeo
