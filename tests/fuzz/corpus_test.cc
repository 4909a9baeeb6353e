// Gives each target the files of its corpus, as an ordinary test: what scripts/fuzz found once stays found, without
// clang and in every run. A target that fails ends this process, and the last line of its output is the file.
#include <dirent.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {
namespace {

constexpr char kCorpus[] = "tests/fuzz/corpus/";
constexpr int64_t kInputBytes = 1 << 20;

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const open = opendir(folder.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = readdir(open)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(open);
  return names;
}

class CorpusTest : public ::testing::TestWithParam<Target> {};

TEST_P(CorpusTest, HoldsForEachInput) {
  const std::string folder = absl::StrCat(kCorpus, GetParam().name, "/");
  const std::vector<std::string> names = NamesIn(folder);
  EXPECT_FALSE(names.empty()) << folder << " has no inputs";
  for (const std::string& name : names) {
    std::fprintf(stderr, "%s%s\n", folder.c_str(), name.c_str());
    ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(folder + name, kInputBytes));
    GetParam().run(bytes);
  }
}

// A folder whose target was renamed or taken out would be run by nobody.
TEST(CorpusFolders, AreOfTargets) {
  std::vector<std::string> targets;
  for (const Target& target : Targets()) targets.emplace_back(target.name);
  EXPECT_THAT(NamesIn(kCorpus), ::testing::UnorderedElementsAreArray(targets));
}

INSTANTIATE_TEST_SUITE_P(Targets, CorpusTest, ::testing::ValuesIn(Targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace mimeo::fuzz
