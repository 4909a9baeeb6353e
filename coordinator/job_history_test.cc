#include "coordinator/job_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;

Event At(int64_t second) {
  Event event;
  event.mutable_time()->set_seconds(second);
  return event;
}

Event Checkpoint(int64_t second, int64_t step) {
  Event event = At(second);
  event.mutable_checkpoint_committed()->mutable_manifest()->set_step(step);
  return event;
}

std::vector<std::string> Texts(const std::vector<HistoryEntry>& history) {
  std::vector<std::string> texts;
  for (const HistoryEntry& line : history) texts.push_back(line.text());
  return texts;
}

void Add(const Event& event, std::vector<HistoryEntry>* history, const HistoryFacts& facts = {}) {
  auto line = HistoryLine(event, facts);
  ASSERT_TRUE(line.has_value());
  AddHistory(*line, history);
}

TEST(JobHistoryTest, AFailureSaysWhoAndTheNextPlaceHowLongAfter) {
  std::vector<HistoryEntry> history;
  Event ended = At(100);
  ended.mutable_gang_ended()->set_generation(1);
  ended.mutable_gang_ended()->set_end(GANG_END_FAILED);
  ended.mutable_gang_ended()->set_reason("rank 1 on host2: killed by SIGKILL\nits last words");
  Add(ended, &history, {1, 3, nullptr});
  Event placed = At(108);
  placed.mutable_gang_placed()->set_generation(2);
  placed.mutable_gang_placed()->set_resume_step(40);
  placed.mutable_gang_placed()->set_reason("placed on host1");
  Add(placed, &history);
  EXPECT_THAT(
      Texts(history),
      ElementsAre("generation 1 failed, failure 1 of 4 in a row: rank 1 on host2: killed by SIGKILL; its last words",
                  "generation 2 placed on host1; it starts from step 40, 8s after the failure"));
  EXPECT_EQ(history[1].step(), 40);
  EXPECT_EQ(history[1].kind(), HISTORY_KIND_PLACED);
}

TEST(JobHistoryTest, CheckpointsShareALineUntilSomethingElseHappens) {
  std::vector<HistoryEntry> history;
  for (int64_t step : {10, 20, 30}) Add(Checkpoint(step, step), &history);
  Event asked = At(40);
  asked.mutable_job_controlled()->set_want(WANT_PAUSE);
  asked.mutable_job_controlled()->set_user("anna");
  Add(asked, &history);
  Add(Checkpoint(50, 40), &history);
  EXPECT_THAT(Texts(history),
              ElementsAre("checkpoint of step 30 committed, 3 since that of step 10",
                          "anna paused it: after a checkpoint its slots are free", "checkpoint of step 40 committed"));
  EXPECT_EQ(history[0].number(), 3);
  EXPECT_EQ(history[0].count(), 3);
  EXPECT_EQ(history[0].first_time().seconds(), 10);
  EXPECT_EQ(history[0].time().seconds(), 30);
  EXPECT_EQ(history[2].number(), 5);
}

TEST(JobHistoryTest, TheFirstLinesAndTheNewestStay) {
  std::vector<HistoryEntry> history;
  constexpr int64_t kEvents = 1000;
  for (int64_t i = 1; i <= kEvents; ++i) {
    Event asked = At(i);
    asked.mutable_job_controlled()->set_want(WANT_RUN);
    Add(asked, &history);
  }
  ASSERT_EQ(history.size(), kHistoryLines);
  EXPECT_EQ(history[kHistoryFirst - 1].number(), static_cast<int64_t>(kHistoryFirst));
  EXPECT_EQ(history[kHistoryFirst].number(), kEvents - static_cast<int64_t>(kHistoryLines - kHistoryFirst) + 1);
  EXPECT_EQ(history.back().number(), kEvents);
}

TEST(JobHistoryTest, EveryLineIsOneLineOfBoundedText) {
  Event finished = At(1);
  finished.mutable_job_finished()->set_state(JOB_STATE_FAILED);
  finished.mutable_job_finished()->set_reason(absl::StrCat("\x1b[2J\n", std::string(5000, 'x')));
  std::vector<HistoryEntry> history;
  Add(finished, &history);
  EXPECT_LE(history[0].text().size(), 512u);
  EXPECT_EQ(history[0].text().find('\n'), std::string::npos);
  EXPECT_EQ(history[0].text().find('\x1b'), std::string::npos);
}

TEST(JobHistoryTest, WhatSaysNothingAboutAJobHasNoLine) {
  Event deleted;
  deleted.mutable_checkpoint_deleted()->set_step(3);
  EXPECT_FALSE(HistoryLine(deleted, {}).has_value());
}

}  // namespace
}  // namespace mimeo
