#include "coordinator/job_queue.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

JobInfo Job(int number, int ranks, int priority = 0, const std::string& teacher = "") {
  JobInfo job;
  job.id = absl::StrCat("j", number);
  job.sequence = number;
  job.spec.mutable_resources()->set_num_ranks(ranks);
  job.spec.mutable_resources()->set_priority(priority);
  job.spec.mutable_resources()->set_device(DEVICE_AUTO);
  job.spec.mutable_resources()->set_precision(PRECISION_FP32);
  if (!teacher.empty()) job.spec.add_objective()->mutable_mimic()->set_teacher(teacher);
  return job;
}

std::string First(const JobQueue& queue) { return queue.First() == nullptr ? "" : queue.First()->job_id; }

TEST(JobQueueTest, HigherPriorityFirstThenFirstCome) {
  JobQueue queue;
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 8);
  queue.Add(Job(2, 1));
  EXPECT_EQ(First(queue), "j2");
  queue.Add(Job(1, 3));
  EXPECT_EQ(First(queue), "j1");
  queue.Add(Job(3, 1, 5));
  EXPECT_EQ(First(queue), "j3");
  queue.Remove("j3");
  queue.Remove("j1");
  queue.Remove("j1");
  EXPECT_EQ(First(queue), "j2");
  queue.Remove("j2");
  EXPECT_EQ(First(queue), "");
  EXPECT_EQ(queue.size(), 0u);
}

TEST(JobQueueTest, WhatIsTooLargeHoldsNobodyUpUntilThereIsRoom) {
  JobQueue queue;
  queue.Add(Job(1, 8));
  queue.Add(Job(2, 4));
  queue.Add(Job(3, 2));
  EXPECT_EQ(First(queue), "") << "there are no workers";
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 3);
  EXPECT_EQ(First(queue), "j3");
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 4);
  EXPECT_EQ(First(queue), "j2");
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 100);
  EXPECT_EQ(First(queue), "j1");
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 7);
  EXPECT_EQ(First(queue), "j2");
  queue.SetCapacity(DEVICE_CUDA, PRECISION_FP32, 100);
  EXPECT_EQ(First(queue), "j2");
}

TEST(JobQueueTest, EachDeviceAndPrecisionHasItsOwnRoom) {
  JobQueue queue;
  JobInfo cuda = Job(1, 2), cpu = Job(2, 2), half = Job(3, 2);
  cuda.spec.mutable_resources()->set_device(DEVICE_CUDA);
  cpu.spec.mutable_resources()->set_device(DEVICE_CPU);
  half.spec.mutable_resources()->set_precision(PRECISION_BF16);
  for (const JobInfo& job : {cuda, cpu, half, Job(4, 2)}) queue.Add(job);
  EXPECT_EQ(First(queue), "");
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 8);
  EXPECT_EQ(First(queue), "j4");
  queue.SetCapacity(DEVICE_AUTO, PRECISION_BF16, 2);
  EXPECT_EQ(First(queue), "j3");
  queue.SetCapacity(DEVICE_CPU, PRECISION_FP32, 2);
  EXPECT_EQ(First(queue), "j2");
  queue.SetCapacity(DEVICE_CUDA, PRECISION_BF16, 2);
  EXPECT_EQ(First(queue), "j2");
  queue.SetCapacity(DEVICE_CUDA, PRECISION_FP32, 2);
  EXPECT_EQ(First(queue), "j1");
}

TEST(JobQueueTest, AJobWithoutItsTeachersHoldsNobodyUp) {
  JobQueue queue;
  queue.SetCapacity(DEVICE_AUTO, PRECISION_FP32, 8);
  queue.Add(Job(1, 1, 0, "clip"));
  queue.Add(Job(2, 1));
  EXPECT_EQ(First(queue), "j2");
  queue.SetTeacher("dino", true);
  EXPECT_EQ(First(queue), "j2");
  queue.SetTeacher("clip", true);
  EXPECT_EQ(First(queue), "j1");
  queue.SetTeacher("clip", false);
  EXPECT_EQ(First(queue), "j2");
}

}  // namespace
}  // namespace mimeo
