#include "base/json_text.h"

#include <cmath>
#include <string>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(JsonTextTest, NamesAndStringsAreTextAndWhatIsReadIsTheSame) {
  const nlohmann::ordered_json json = {{"z\n", "caf\xe9\x1b"}, {"a", {1, "\xe2\x80\xae\n"}}, {"nan", std::nan("")}};
  const std::string text = JsonText(json);
  EXPECT_EQ(text, R"({"z\\x0a":"caf\\xe9\\x1b","a":[1,"\\u{202e}\n"],"nan":null})");
  EXPECT_EQ(nlohmann::ordered_json::parse(text)["z\\x0a"], "caf\\xe9\\x1b");
}

}  // namespace
}  // namespace mimeo
