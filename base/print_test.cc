#include "base/print.h"

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

// What `write` wrote into a file.
template <typename Write>
std::string Written(const Write& write) {
  std::FILE* const file = std::tmpfile();
  write(file);
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(OneLineTest, CutsAtACharacterAndKeepsControlCodesOut) {
  EXPECT_EQ(OneLine("a\nb\tc\x1b[31md", 100), "a b c\\x1b[31md");
  EXPECT_EQ(OneLine("caf\xe9 \xe2\x80\xae", 100), "caf\\xe9 \\u{202e}");
  EXPECT_EQ(OneLine("abcdef", 6), "abcdef");
  EXPECT_EQ(OneLine("abcdefg", 6), "abc...");
  EXPECT_EQ(OneLine("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5), "\xc3\xa9\xc3\xa9...");
  EXPECT_EQ(OneLine("\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9");
  EXPECT_EQ(OneLine("abcd", 2), "..");
  EXPECT_EQ(OneLine("", 5), "");
}

// A line that wraps cannot be redrawn in place.
TEST(OneLineTest, WideCharactersTakeTheirRoom) {
  EXPECT_EQ(OneLine("\u5199\u771f", 4), "\u5199\u771f");
  EXPECT_EQ(OneLine("\u5199\u771f\u5e33", 5), "\u5199...");
  EXPECT_EQ(OneLine("\u5199\u771f\u5e33", 4), "...") << "half a character is none";
  EXPECT_EQ(OneLine("\u5199", 1), ".");
  EXPECT_EQ(OneLine("abc", 0), "");
}

TEST(PrintTest, BytesAreMadeTextAndLinesStay) {
  EXPECT_EQ(Written([](std::FILE* out) { Print(out, "caf\xe9\x1b[31m\n\tnext\n"); }), "caf\\xe9\\x1b[31m\n\tnext\n");
}

TEST(RedrawnLineTest, WithoutATerminalEachIsALineOfItsOwn) {
  const std::string written = Written([](std::FILE* out) {
    RedrawnLine line(out);
    EXPECT_FALSE(line.terminal());
    line.Show("1 of 2\nimages");
    line.Say("hello");
    line.Show("2 of 2\x1b");
    line.End();
  });
  EXPECT_EQ(written, "1 of 2 images\nhello\n2 of 2\\x1b\n");
}

// A terminal of 20 columns, as a person has it.
TEST(RedrawnLineTest, OnATerminalItIsRedrawnInPlaceAndNeverWraps) {
  int controller = -1, terminal = -1;
  winsize size{};
  size.ws_col = 20;
  size.ws_row = 10;
  ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, &size), 0);
  std::FILE* const out = fdopen(terminal, "w");
  setenv("TERM", "xterm", 1);
  RedrawnLine line(out);
  EXPECT_TRUE(line.terminal());
  line.Show("a text of more than 20 columns");
  line.Show("1 of 2");
  line.Say("hello");
  line.Show("2 of 2");
  line.End();
  line.End();
  std::fclose(out);
  // A terminal gives what was written in parts, and an error behind the last one.
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = read(controller, part, sizeof(part))) > 0;) text.append(part, static_cast<size_t>(got));
  close(controller);
  EXPECT_EQ(text, "\r\033[Ka text of more t...\r\033[K1 of 2\r\033[Khello\r\n\r\033[K2 of 2\r\n");
}

// What reaches a terminal of a kind, with or without NO_COLOR.
std::string OnTerminal(const std::string& kind, const std::string& no_color) {
  int controller = -1, terminal = -1;
  EXPECT_EQ(openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
  std::FILE* const out = fdopen(terminal, "w");
  setenv("TERM", kind.c_str(), 1);
  setenv("NO_COLOR", no_color.c_str(), 1);
  PrintSpans(out, {{"mimeo: ", Colour::kRed}, {"a\033[31m b "}, {"done", Colour::kGreen}});
  unsetenv("NO_COLOR");
  setenv("TERM", "xterm", 1);
  std::fclose(out);
  std::string text(256, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(controller, &text[0], text.size()))));
  close(controller);
  return text;
}

TEST(PrintSpansTest, ColoursAreForTerminalsThatWantThem) {
  EXPECT_EQ(OnTerminal("xterm", ""), "\033[31mmimeo: \033[0ma\\x1b[31m b \033[32mdone\033[0m");
  EXPECT_EQ(OnTerminal("xterm", "1"), "mimeo: a\\x1b[31m b done");
  EXPECT_EQ(OnTerminal("dumb", ""), "mimeo: a\\x1b[31m b done");
  EXPECT_EQ(Written([](std::FILE* out) { PrintSpans(out, {{"mimeo: ", Colour::kRed}, {"x"}}); }), "mimeo: x");
}

TEST(CountedTest, OneIsOne) {
  EXPECT_EQ(Counted(1, "bad sample"), "1 bad sample");
  EXPECT_EQ(Counted(0, "slot"), "0 slots");
  EXPECT_EQ(Counted(-1, "slot"), "-1 slots");
}

TEST(PrintedTest, AFullDiskIsSaidHoweverMuchArrivesAfterwards) {
  std::FILE* const full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  EXPECT_TRUE(Printed(full).ok()) << "nothing was printed yet";
  Print(full, "an answer\n");
  EXPECT_EQ(Printed(full).code(), absl::StatusCode::kResourceExhausted);
  Print(full, "");
  EXPECT_FALSE(Printed(full).ok());
  std::fclose(full);
}

}  // namespace
}  // namespace mimeo
