// The coordinator's behaviour as incident reports: testdata/*.txt. Each paragraph is commands, "----", and what they
// answer.
//
// When behaviour changes on purpose: bazel run //coordinator:transcript_test -- --rewrite, then read the diff. A
// transcript that changed and was not read proves nothing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "coordinator/testing/cluster_script.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

bool rewrite = false;

std::string Directory() {
  const char* sources = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (rewrite && sources != nullptr) return absl::StrCat(sources, "/coordinator/testdata");
  return absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/coordinator/testdata");
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Runs the transcript's commands; the same text with the answers that came.
std::string Played(const std::string& transcript, const std::string& name) {
  const auto store = OpenRocksDbStore({"transcript", true});
  EXPECT_TRUE(store.ok()) << store.status();
  testing::ClusterScript script(store->get(), absl::Seconds(60));
  std::string played;
  bool in_answer = false;
  std::string answer;
  for (const absl::string_view line : absl::StrSplit(transcript, '\n')) {
    if (line == "----") {
      absl::StrAppend(&played, "----\n", answer);
      answer.clear();
      in_answer = true;
    } else if (line.empty()) {
      if (in_answer || played.empty() || absl::EndsWith(played, "\n\n")) {
        if (in_answer) absl::StrAppend(&played, "\n");
        in_answer = false;
      }
    } else if (!in_answer) {
      absl::StrAppend(&played, line, "\n");
      if (line[0] == '#') continue;
      absl::StrAppend(&answer, script.Run(std::string(line)));
      EXPECT_EQ(script.Replayed(), script.core().StateForTest()) << name << ", after: " << line;
    }
  }
  while (absl::EndsWith(played, "\n\n")) played.pop_back();
  return played;
}

TEST(TranscriptTest, EveryTranscriptIsWhatHappens) {
  int transcripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Directory())) {
    const std::string path = entry.path().string();
    if (!absl::EndsWith(path, ".txt")) continue;
    ++transcripts;
    const std::string expected = ReadText(path);
    const std::string played = Played(expected, path);
    if (rewrite) {
      std::ofstream(path) << played;
    } else {
      EXPECT_EQ(played, expected) << path;
    }
  }
  EXPECT_GE(transcripts, 8);
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) mimeo::rewrite |= std::strcmp(argv[i], "--rewrite") == 0;
  return RUN_ALL_TESTS();
}
