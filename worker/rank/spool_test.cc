#include "worker/rank/spool.h"

#include <gtest/gtest.h>

#include "proto/metrics.pb.h"

namespace mimeo {
namespace {

StepMetrics Step(int64_t step) {
  StepMetrics metrics;
  metrics.set_step(step);
  return metrics;
}

std::vector<int64_t> Steps(const Spool<StepMetrics>& spool, int64_t count, int64_t* mark, int64_t bytes = 1 << 20) {
  google::protobuf::RepeatedPtrField<StepMetrics> copy;
  *mark = spool.Copy(count, bytes, &copy);
  std::vector<int64_t> steps;
  for (const StepMetrics& step : copy) steps.push_back(step.step());
  return steps;
}

using Numbers = std::vector<int64_t>;

TEST(SpoolTest, GivesTheOldestInOrderAndKeepsThemUntilTheyAreSent) {
  Spool<StepMetrics> spool(10);
  for (int64_t step = 1; step <= 5; ++step) spool.Push(Step(step));
  int64_t mark = 0;
  EXPECT_EQ(Steps(spool, 3, &mark), (Numbers{1, 2, 3}));
  EXPECT_EQ(Steps(spool, 3, &mark), (Numbers{1, 2, 3})) << "the call failed: they are all still here";
  spool.Sent(mark);
  EXPECT_EQ(Steps(spool, 3, &mark), (Numbers{4, 5}));
  spool.Sent(mark);
  EXPECT_TRUE(spool.empty());
}

TEST(SpoolTest, AMessageHasItsBytesToo) {
  Spool<StepMetrics> spool(10);
  for (int64_t step = 1; step <= 5; ++step) spool.Push(Step(step));  // of two bytes each
  int64_t mark = 0;
  EXPECT_EQ(Steps(spool, 5, &mark, 5), (Numbers{1, 2}));
  EXPECT_FALSE(spool.Passed(mark));
  spool.Sent(mark);
  EXPECT_TRUE(spool.Passed(mark));
  EXPECT_EQ(Steps(spool, 5, &mark, 1), (Numbers{3})) << "one goes out however big it is";
}

TEST(SpoolTest, BeyondItsCapacityTheOldestGo) {
  Spool<StepMetrics> spool(3);
  for (int64_t step = 1; step <= 5; ++step) spool.Push(Step(step));
  int64_t mark = 0;
  EXPECT_EQ(Steps(spool, 10, &mark), (Numbers{3, 4, 5}));
}

TEST(SpoolTest, WhatIsDroppedDuringACallIsNotTakenForWhatCameAfterIt) {
  Spool<StepMetrics> spool(3);
  for (int64_t step = 1; step <= 3; ++step) spool.Push(Step(step));
  int64_t mark = 0;
  EXPECT_EQ(Steps(spool, 2, &mark), (Numbers{1, 2}));
  spool.Push(Step(4));  // drops 1 while the call with 1 and 2 is under way
  spool.Sent(mark);
  EXPECT_EQ(Steps(spool, 10, &mark), (Numbers{3, 4}));
  for (int64_t step = 5; step <= 9; ++step) spool.Push(Step(step));  // drops all of the call under way, and 5 and 6
  spool.Sent(mark);
  EXPECT_EQ(Steps(spool, 10, &mark), (Numbers{7, 8, 9}));
}

TEST(SpoolTest, ClearedItIsEmptyAndAnOldMarkRemovesNothing) {
  Spool<StepMetrics> spool(3);
  spool.Push(Step(1));
  int64_t mark = 0;
  Steps(spool, 1, &mark);
  spool.Clear();
  spool.Push(Step(2));
  spool.Sent(mark);
  EXPECT_EQ(Steps(spool, 1, &mark), (Numbers{2}));
}

}  // namespace
}  // namespace mimeo
