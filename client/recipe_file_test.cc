// Recipes that are none: each is refused at once, and says what it is.
#include "client/recipe_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/file.h"
#include "base/limits.h"

namespace mimeo {
namespace {

using testing::HasSubstr;

class RecipeFileTest : public testing::Test {
 protected:
  std::string Write(const std::string& bytes) {
    EXPECT_TRUE(WriteFileAtomic(path_, bytes).ok());
    return path_;
  }
  std::string Refusal(const std::string& path) {
    const auto spec = ReadRecipe(path);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << spec.status();
    return std::string(spec.status().message());
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/recipe";
};

TEST_F(RecipeFileTest, ReadsAFile) {
  const auto spec = ReadRecipe(Write("seed: 7"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->seed(), 7u);
}

TEST_F(RecipeFileTest, RefusesWhatIsNoRecipeByName) {
  EXPECT_THAT(Refusal("/nowhere/recipe"), HasSubstr("RECIPE: /nowhere/recipe: No such file"));
  EXPECT_THAT(Refusal(dir_.path()), HasSubstr("a folder; a recipe is a file"));
  EXPECT_THAT(Refusal(dir_.path() + "/caf\xe9\x1b[2J"), HasSubstr("/caf\\xe9\\x1b[2J: No such file"));
  EXPECT_THAT(Refusal(Write("")), HasSubstr("empty"));
  EXPECT_THAT(Refusal(Write(std::string("\x89PNG\r\n\x1a\n\0\0", 10))), HasSubstr("/recipe:1: not UTF-8: \"\\x89PNG"));
  EXPECT_THAT(Refusal(Write(std::string("seed: 1\n\0", 9))), HasSubstr("/recipe:2: holds a NUL"));
  EXPECT_THAT(Refusal("/dev/zero"), HasSubstr("larger than 1048576 bytes"));
}

TEST_F(RecipeFileTest, TheBoundIsTheBound) {
  const std::string recipe = "seed: 7 ";
  EXPECT_TRUE(ReadRecipe(Write(recipe + std::string(limits::kRecipeBytes - recipe.size(), '#'))).ok());
  EXPECT_THAT(Refusal(Write(recipe + std::string(limits::kRecipeBytes - recipe.size() + 1, '#'))),
              HasSubstr("larger than"));
}

// As the shell's <(...) makes one.
TEST_F(RecipeFileTest, APipeIsReadToItsEndAndOneWithoutAWriterIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(Refusal(path_), HasSubstr("a pipe into which nobody writes"));
  const int pipe = open(path_.c_str(), O_RDWR | O_CLOEXEC);  // both ends, so that it need not wait for its reader
  ASSERT_GE(pipe, 0);
  ASSERT_EQ(write(pipe, "seed: ", 6), 6);
  absl::StatusOr<JobSpec> spec = absl::UnknownError("not read");
  std::thread reader([&] { spec = ReadRecipe(path_); });
  for (int unread = 1; unread > 0;) {  // the reader has opened it, and waits for more
    ASSERT_EQ(ioctl(pipe, FIONREAD, &unread), 0);
    std::this_thread::yield();
  }
  EXPECT_EQ(write(pipe, "7\n", 2), 2);
  close(pipe);
  reader.join();
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->seed(), 7u);
}

}  // namespace
}  // namespace mimeo
