#include "coordinator/blame.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace mimeo {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

WorkerFailure On(const std::string& worker, const std::string& message = "it broke") {
  WorkerFailure failure;
  failure.set_worker_id(worker);
  failure.set_message(message);
  return failure;
}

TEST(BlameTest, ThePauseDoublesUpToItsMost) {
  EXPECT_EQ(RestartPause(1), limits::kRestartPause);
  EXPECT_EQ(RestartPause(2), 2 * limits::kRestartPause);
  EXPECT_EQ(RestartPause(4), 8 * limits::kRestartPause);
  EXPECT_EQ(RestartPause(1000), limits::kRestartPauseMax);
}

TEST(BlameTest, ItHalvesWithTime) {
  Blame blame;
  blame.Add("j1", On("w0"), 1, kNow);
  EXPECT_EQ(blame.Of("w0", kNow), 1);
  EXPECT_DOUBLE_EQ(blame.Of("w0", kNow + limits::kBlameHalfLife), 0.5);
  EXPECT_EQ(blame.FallsTo(0.5, "w0", kNow), kNow + limits::kBlameHalfLife);
  EXPECT_EQ(blame.FallsTo(2, "w0", kNow), absl::InfinitePast());
  EXPECT_EQ(blame.Of("w1", kNow), 0);
  EXPECT_EQ(blame.Newest("w1"), nullptr);
}

TEST(BlameTest, OneJobBlamesAWorkerOnceAndSeveralJobsEach) {
  Blame blame;
  for (int i = 0; i < 5; ++i) blame.Add("j1", On("w0"), 1, kNow);
  EXPECT_EQ(blame.Of("w0", kNow), 1);
  EXPECT_EQ(blame.RestsUntil("w0"), kNow + limits::kRestartPause);
  blame.Add("j2", On("w0", "it broke again"), 1, kNow + absl::Seconds(1));
  EXPECT_GT(blame.Of("w0", kNow + absl::Seconds(1)), Blame::kSeveralJobs);
  EXPECT_GT(blame.RestsUntil("w0"), kNow + 1.9 * limits::kRestartPause);
  EXPECT_EQ(blame.Newest("w0")->what.message(), "it broke again");
}

TEST(BlameTest, AShareOfAGangsFailureAloneIsNoReasonToRest) {
  Blame blame;
  blame.Add("j1", On("w0"), 1.0 / 64, kNow);
  EXPECT_EQ(blame.RestsUntil("w0"), absl::InfinitePast());
}

TEST(BlameTest, AJobsOwnFailuresAreTakenBack) {
  Blame blame;
  blame.Add("j1", On("w0"), 1, kNow);
  blame.Add("j1", On("w1"), 1, kNow);
  blame.Add("j2", On("w1"), 1, kNow);
  EXPECT_EQ(blame.ForgetJob("j1"), (std::set<std::string>{"w0", "w1"}));
  EXPECT_EQ(blame.Of("w0", kNow), 0);
  EXPECT_EQ(blame.Newest("w0"), nullptr);
  EXPECT_EQ(blame.RestsUntil("w0"), absl::InfinitePast());
  EXPECT_EQ(blame.Of("w1", kNow), 1);
  EXPECT_TRUE(blame.ForgetJob("j1").empty());
  blame.ForgetWorker("w1");
  EXPECT_EQ(blame.Of("w1", kNow), 0);
}

TEST(BlameTest, WhatIsRememberedIsBounded) {
  Blame blame;
  for (int i = 0; i < 1000; ++i) blame.Add(std::to_string(i), On("w0"), 1, kNow + absl::Milliseconds(i));
  EXPECT_LE(blame.Of("w0", kNow + absl::Seconds(1)), 16);
  EXPECT_EQ(blame.ForgetJob("0"), std::set<std::string>()) << "the oldest went first";
  EXPECT_EQ(blame.ForgetJob("999"), std::set<std::string>{"w0"});
}

}  // namespace
}  // namespace mimeo
