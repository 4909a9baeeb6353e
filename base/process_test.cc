#include "base/process.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <regex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;
using Values = std::map<std::string, std::string>;

TEST(AnnouncementTest, WhatIsAnnouncedIsRead) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "announcement.json");
  const Values values = {{"address", "127.0.0.1:4711"}, {"text", "a \"quoted\"\nline"}};
  ASSERT_OK(Announce(path, values));
  ASSERT_OK_AND_ASSIGN(const Values read, ReadAnnouncement(path));
  EXPECT_EQ(read, values);
}

TEST(AnnouncementTest, TheReaderWaitsForTheWriter) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "announcement.json");
  std::thread reader([&] { EXPECT_THAT(ReadAnnouncement(path), testing::IsOk()); });
  EXPECT_OK(Announce(path, {{"port", "1"}}));
  reader.join();
}

TEST(AnnouncementTest, PatienceEnds) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "announcement.json");
  EXPECT_THAT(ReadAnnouncement(path, absl::ZeroDuration()), StatusIs(absl::StatusCode::kDeadlineExceeded, path));
  EXPECT_THAT(ReadAnnouncement(path, absl::Milliseconds(15)), StatusIs(absl::StatusCode::kDeadlineExceeded, "15ms"));
}

// JSON holds UTF-8 alone, and the library that writes it throws.
TEST(AnnouncementTest, WhatIsNoTextIsRefusedByName) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "announcement.json");
  EXPECT_THAT(Announce(path, {{"address", "unix:/caf\xe9"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "address=unix:/caf\\xe9 is not UTF-8"));
  EXPECT_FALSE(FileExists(path));
}

TEST(AnnouncementTest, NonsenseIsDataLossByName) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "announcement.json");
  for (const char* text : {"", "{", "[]", "{\"port\": 1}"}) {
    ASSERT_OK(WriteFileAtomic(path, text));
    EXPECT_THAT(ReadAnnouncement(path), StatusIs(absl::StatusCode::kDataLoss, path)) << text;
  }
}

TEST(StopSignalsTest, AreHeldUntilWaitedFor) {
  BlockStopSignals();
  EXPECT_FALSE(WaitForStopUntil(absl::InfinitePast()));
  EXPECT_FALSE(WaitForStopUntil(Clock::Real()->Now() + absl::Milliseconds(5)));
  for (const int signal : {SIGTERM, SIGINT}) {
    kill(getpid(), signal);
    EXPECT_TRUE(WaitForStopUntil(absl::InfinitePast())) << "a signal that came before";
  }
  std::thread sender([] { kill(getpid(), SIGTERM); });
  WaitForStop();
  sender.join();
  EXPECT_FALSE(WaitForStopUntil(absl::InfinitePast())) << "each signal counts once";
}

TEST(LoggingTest, LinesCarryTimeLevelAndProcess) {
  unsetenv("MIMEO_LOG");
  ::testing::internal::CaptureStderr();
  StartLogging("worker");
  spdlog::info("rank_started job={} rank={}", "j1", 0);
  spdlog::debug("hidden");
  const std::string text = ::testing::internal::GetCapturedStderr();
  const std::regex line(
      "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z info worker: rank_started job=j1 rank=0\n");
  EXPECT_TRUE(std::regex_match(text, line)) << text;
}

TEST(LoggingTest, AToolsLinesHaveNoTime) {
  ::testing::internal::CaptureStderr();
  StartPlainLogging("knn");
  spdlog::warn("image a\x1b.png is left out");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "knn: image a\\x1b.png is left out\n");
}

TEST(LoggingTest, TheEnvironmentChoosesTheLevel) {
  for (const auto& [value, lines] :
       {std::make_pair("error", 1), std::make_pair("warn", 2), std::make_pair("debug", 4)}) {
    setenv("MIMEO_LOG", value, 1);
    ::testing::internal::CaptureStderr();
    StartLogging("worker");
    spdlog::error("e");
    spdlog::warn("w");
    spdlog::info("i");
    spdlog::debug("d");
    const std::string text = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), lines) << value;
  }
}

}  // namespace
}  // namespace mimeo
