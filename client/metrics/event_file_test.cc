#include "client/metrics/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;

MetricRow Row(int64_t step, double loss) {
  return {step, 1700000000.0 + static_cast<double>(step), false, {{"loss", loss}}};
}

// The events of a file as a reader sees them that shares nothing with the writer.
std::vector<nlohmann::json> Read(const std::string& path) {
  const std::string root = absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"));
  std::string said;
  Subprocess::Options options;
  options.argv = {"/usr/bin/python3", root + "/client/metrics/testing/read_events.py", path};
  options.on_stdout = [&](absl::string_view piece) { absl::StrAppend(&said, piece); };
  options.on_stderr = options.on_stdout;
  const auto child = Subprocess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
  EXPECT_TRUE(ended.ok() && ended->ok()) << said;
  std::vector<nlohmann::json> events;
  for (const absl::string_view line : absl::StrSplit(said, '\n', absl::SkipEmpty())) {
    events.push_back(nlohmann::json::parse(line.begin(), line.end(), nullptr, false));
  }
  return events;
}

// CRC-32C of "123456789" is e3069283: the check value of the catalogues of checksums.
TEST(EventRecordTest, HasTheChecksumOfTheStandard) {
  const std::string record = EventRecord("123456789");
  ASSERT_EQ(record.size(), 8u + 4 + 9 + 4);
  EXPECT_EQ(absl::BytesToHexString(record.substr(0, 8)), "0900000000000000");
  const uint32_t masked = ((0xe3069283u >> 15) | (0xe3069283u << 17)) + 0xa282ead8u;
  std::string expected;
  for (int i = 0; i < 4; ++i) expected.push_back(static_cast<char>(masked >> (8 * i) & 0xff));
  EXPECT_EQ(record.substr(21), expected);
}

TEST(EventFileTest, AnIndependentReaderFindsEqualNumbers) {
  const TempDir dir;
  const auto file = EventFile::Create(dir.path() + "/a/b");
  ASSERT_TRUE(file.ok()) << file.status();
  MetricRow evaluation{1, 1700000009.0, true, {{"evaluation/knn_accuracy", 0.25}}};
  ASSERT_TRUE((*file)->Add({Row(1, 0.5), Row(2, std::nan("")), evaluation}).ok());
  const auto events = Read((*file)->path());
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0]["file_version"], "brain.Event:2");
  EXPECT_EQ(events[1]["session"], 1) << "what other sessions wrote of these steps no longer counts";
  EXPECT_EQ(events[2]["step"], 1);
  EXPECT_EQ(events[2]["wall_time"], 1700000001.0);
  EXPECT_EQ(events[2]["values"]["loss"], 0.5);
  EXPECT_EQ(events[3]["step"], 2);
  EXPECT_TRUE(events[3]["values"]["loss"].is_null()) << "not a number";
  EXPECT_EQ(events[4]["values"]["evaluation/knn_accuracy"], 0.25);
  EXPECT_EQ(events[4]["step"], 1) << "an evaluation of an earlier step begins nothing anew";
}

TEST(EventFileTest, StepsThatAreDoneAgainBeginASession) {
  const TempDir dir;
  const auto file = EventFile::Create(dir.path());
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Add({Row(1, 1), Row(2, 2), Row(3, 3)}).ok());
  ASSERT_TRUE((*file)->Add({Row(2, 20), Row(3, 30), Row(4, 40)}).ok());
  std::vector<int> sessions;
  for (const nlohmann::json& event : Read((*file)->path())) {
    if (event.contains("session")) sessions.push_back(event["step"]);
  }
  EXPECT_THAT(sessions, ElementsAre(1, 2));
}

// Sessions that begin within one second have the same time in their names.
TEST(EventFileTest, EachSessionHasAFileOfItsOwn) {
  const TempDir dir;
  const auto first = EventFile::Create(dir.path());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Add({Row(1, 1)}).ok());
  const auto second = EventFile::Create(dir.path());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT((*first)->path(), (*second)->path()) << "they are read in the order of their names";
  EXPECT_EQ(Read((*first)->path()).size(), 3u) << "the second one has taken nothing away";
}

TEST(EventFileTest, AFolderThatTakesNoFilesIsNamed) {
  EXPECT_THAT(std::string(EventFile::Create("/proc/events").status().message()), ::testing::HasSubstr("/proc/events"));
}

}  // namespace
}  // namespace mimeo
