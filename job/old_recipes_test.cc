// Recipes and --set lines of an earlier version (04ab777) mean the same to this one.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

// Every recipe of that version by path, as it was but for its comments.
std::map<std::string, std::string> OldRecipes() {
  const auto text = ReadFile("job/testdata/recipes_04ab777.txt");
  EXPECT_TRUE(text.ok()) << text.status();
  std::map<std::string, std::string> recipes;
  for (const absl::string_view recipe : absl::StrSplit(*text, "==== ", absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(recipe, absl::MaxSplits('\n', 1));
    recipes[parts.first] = parts.second;
  }
  return recipes;
}

TEST(OldRecipesTest, EachIsParsedAndResolved) {
  const std::map<std::string, std::string> recipes = OldRecipes();
  ASSERT_EQ(recipes.size(), 48u);
  for (const auto& [path, text] : recipes) {
    const auto spec = ParseRecipe(text, path);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto again = ParseRecipe(JobSpecText(*spec), path);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->SerializeAsString(), spec->SerializeAsString()) << path;
    JobSpec on_photos = *spec;
    if (on_photos.data().path().empty()) on_photos.mutable_data()->set_path("/data/photos");
    if (!on_photos.schedule().has_epochs() && !on_photos.schedule().has_steps()) {
      on_photos.mutable_schedule()->set_steps(10);
    }
    const auto resolved = ResolveJobSpec(on_photos);
    EXPECT_TRUE(resolved.ok()) << path << ": " << resolved.status();
  }
}

// What was written in its documents, scripts and tests behind --set.
TEST(OldRecipesTest, EachSettingIsTaken) {
  const std::map<std::string, std::string> recipes = OldRecipes();
  const auto lines = ReadFile("job/testdata/set_04ab777.txt");
  ASSERT_TRUE(lines.ok()) << lines.status();
  int count = 0;
  for (const absl::string_view line : absl::StrSplit(*lines, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    auto spec = ParseRecipe(recipes.at(absl::StrCat("recipes/", parts.first, ".textproto")), parts.first);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const absl::Status set = SetField(parts.second, &*spec);
    EXPECT_TRUE(set.ok()) << line << ": " << set;
    ++count;
  }
  EXPECT_EQ(count, 35);
}

}  // namespace
}  // namespace mimeo
