#include "model/weights/stated.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Compare(const char* config) {
  WeightsSurroundings surroundings;
  surroundings.config = nlohmann::json::parse(config);
  const Stated stated = ReadStated(surroundings);
  EXPECT_THAT(stated.problems, IsEmpty());
  return CompareSizes(stated, {{EncoderSize::kBlocks, 4}, {EncoderSize::kWidth, 48}, {EncoderSize::kPatchPx, 8}});
}

TEST(StatedTest, SizesThatTheTensorsLackAreNamedWithBothNumbers) {
  EXPECT_THAT(
      Compare(R"({"num_hidden_layers": 6, "hidden_size": 48})"),
      ElementsAre(HasSubstr("config.json: num_hidden_layers is 6, but the tensors have 4 (transformer blocks)")));
  EXPECT_THAT(Compare(R"({"hidden_size": 96, "patch_size": 16})"),
              ElementsAre(HasSubstr("hidden_size is 96, but the tensors have 48"), HasSubstr("patch_size is 16")));
  EXPECT_THAT(Compare(R"({"model_args": {"depth": 12, "embed_dim": 48, "patch_size": [8, 8]}})"),
              ElementsAre(HasSubstr("config.json: depth is 12")));
  // CLIP's: the text tower's sizes stand outside, or in a section of their own.
  EXPECT_THAT(Compare(R"({"hidden_size": 512, "text_config": {"num_hidden_layers": 12},
                          "vision_config": {"num_hidden_layers": 4, "hidden_size": 48}})"),
              IsEmpty());
}

TEST(StatedTest, SizesThatMakeNoSenseAreProblems) {
  WeightsSurroundings surroundings;
  surroundings.config =
      nlohmann::json::parse(R"({"num_hidden_layers": "six", "patch_size": [8, 16], "hidden_size": -1})");
  EXPECT_THAT(ReadStated(surroundings).problems,
              ElementsAre(HasSubstr("num_hidden_layers is \"six\""), HasSubstr("hidden_size is -1"),
                          HasSubstr("patch_size is [8,16]; it should be a whole number")));
}

}  // namespace
}  // namespace mimeo
