#include "client/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

using ::testing::EndsWith;

std::string Written(std::FILE* file) {
  std::rewind(file);
  std::string text(65536, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(PrintedLinesTest, PrintsWholeLinesAsTextHoweverTheyCome) {
  const std::string said = "caf\xc3\xa9 \x1b[31m\nprogress 1\rprogress 2\n\xe9\xc2\x9b\tend";
  const std::string text = "caf\xc3\xa9 \\x1b[31m\nprogress 1\\x0dprogress 2\n\\xe9\\u{9b}\tend";
  for (size_t size = 1; size <= said.size(); ++size) {
    std::FILE* const file = std::tmpfile();
    {
      PrintedLines lines(file);
      for (size_t at = 0; at < said.size(); at += size) lines.Add(absl::string_view(said).substr(at, size));
    }
    EXPECT_EQ(Written(file), text) << "in pieces of " << size;
  }
}

TEST(PrintedLinesTest, ALineWithoutEndIsPrintedInPartsBetweenCharacters) {
  std::string said;
  while (said.size() < 70000) said += "\xf0\x9f\x98\x80";
  for (size_t shift = 0; shift < 4; ++shift) {
    std::FILE* const file = std::tmpfile();
    PrintedLines lines(file);
    lines.Add(std::string(shift, 'a') + said.substr(0, 66001));
    std::rewind(file);
    std::string printed(80000, '\0');
    printed.resize(std::fread(&printed[0], 1, printed.size(), file));
    EXPECT_GT(printed.size(), 60000u) << "what is held is bounded";
    EXPECT_EQ(printed.find('\\'), std::string::npos) << printed.substr(printed.size() - 20);
    lines.Add(said.substr(66001));
  }
}

// Runs `write`; what it wrote to stderr.
std::string Errors(const std::function<void()>& write) {
  ::testing::internal::CaptureStderr();
  write();
  return ::testing::internal::GetCapturedStderr();
}

TEST(PrintErrorTest, EachLineSaysWhoSpeaksAndIsText) {
  EXPECT_EQ(Errors([] { PrintError(absl::NotFoundError("no j7\ncaf\xe9 \x1b]0;owned\x07\ttab")); }),
            "mimeo: no j7\nmimeo: caf\\xe9 \\x1b]0;owned\\x07\ttab\n");
  EXPECT_EQ(Errors([] { PrintError(absl::InternalError("")); }), "mimeo: INTERNAL\n") << "an error is never silent";
}

TEST(PrintErrorTest, OfVeryManyLinesTheFirstArePrintedAndTheOthersCounted) {
  std::string message = "1";
  for (int line = 2; line <= 201; ++line) absl::StrAppend(&message, "\n", line);
  EXPECT_THAT(Errors([&] { PrintError(absl::InternalError(message)); }),
              EndsWith("\nmimeo: 200\nmimeo: and 1 line more\n"));
  absl::StrAppend(&message, "\n202");
  EXPECT_THAT(Errors([&] { PrintError(absl::InternalError(message)); }),
              EndsWith("\nmimeo: 200\nmimeo: and 2 lines more\n"));
}

TEST(PrintErrorTest, ALongLineIsCut) {
  const std::string said = Errors([] { PrintError(absl::InternalError(std::string(100000, 'x'))); });
  EXPECT_LT(said.size(), 5000u);
  EXPECT_THAT(said, EndsWith("x ...\n"));
}

}  // namespace
}  // namespace mimeo
