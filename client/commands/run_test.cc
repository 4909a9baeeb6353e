// The command line of `mimeo run`: what is refused before anything starts. tests/e2e/run_test.cc trains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::SmallRecipe;

class RunVerbTest : public ::testing::Test {
 protected:
  CommandLine line_{AddRun};
};

TEST_F(RunVerbTest, ARecipeAndAFolderAreWanted) {
  const Outcome without = line_.Run({"run", line_.File("recipe", SmallRecipe())});
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.errors, HasSubstr("--out"));
  EXPECT_EQ(line_.Run({"run", "--out", line_.dir() + "/out"}).code, 2);
}

TEST_F(RunVerbTest, FlagsOutOfRangeAreRefused) {
  const std::string recipe = line_.File("recipe", SmallRecipe());
  for (const char* workers : {"0", "65", "two"}) {
    const Outcome refused = line_.Run({"run", recipe, "--out", line_.dir() + "/out", "--workers", workers});
    EXPECT_EQ(refused.code, 2) << workers;
    EXPECT_THAT(refused.errors, HasSubstr("--workers"));
  }
}

TEST_F(RunVerbTest, EveryMistakeOfTheRecipeAndItsPathsIsNamedAndNothingIsLeft) {
  const std::string out = line_.dir() + "/out";
  const Outcome refused =
      line_.Run({"run", line_.File("recipe", SmallRecipe()), "--out", out, "--data", "/no/such/photos", "--set",
                 "sed=1", "--set", "encoder.vit.patch_px=7", "--teacher", "nameless"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors,
              AllOf(HasSubstr("/no/such/photos"), HasSubstr("sed"), HasSubstr("patch_px"), HasSubstr("nameless")));
  EXPECT_FALSE(FileExists(out));
}

TEST_F(RunVerbTest, HelpHasAnExample) {
  const Outcome help = line_.Run({"run", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("mimeo run recipes/"), HasSubstr("--teacher")));
}

}  // namespace
}  // namespace mimeo
