#include "coordinator/teachers_to_pin.h"

#include <gtest/gtest.h>

#include <string>

namespace mimeo {
namespace {

// A job on two ranks that mimics clip and draws masks by dino.
JobInfo Running() {
  JobInfo job;
  job.id = "j1";
  job.generation = 2;
  job.placement = {"w0", "w1"};
  job.spec.add_objective()->mutable_mimic()->set_teacher("clip");
  job.spec.mutable_mask()->mutable_focused()->set_teacher("dino");
  return job;
}

TeacherContract Contract(const std::string& name, const std::string& digest) {
  TeacherContract contract;
  contract.set_name(name);
  contract.set_weights_digest(digest);
  return contract;
}

GangReport Said(int64_t generation, int rank, const TeacherContract& contract) {
  GangReport gang;
  gang.generation = generation;
  *gang.ranks[rank].add_teachers() = contract;
  return gang;
}

TEST(TeachersToPinTest, EachTeacherOnceByTheLowestRanksWord) {
  GangReport gang = Said(2, 1, Contract("clip", "other"));
  *gang.ranks[0].add_teachers() = Contract("clip", "first");
  *gang.ranks[1].add_teachers() = Contract("dino", "eyes");
  const std::vector<Event> pins = TeachersToPin(Running(), gang);
  ASSERT_EQ(pins.size(), 2u);
  EXPECT_EQ(pins[0].teacher_pinned().job_id(), "j1");
  EXPECT_EQ(pins[0].teacher_pinned().contract().weights_digest(), "first");
  EXPECT_EQ(pins[1].teacher_pinned().contract().name(), "dino");
}

TEST(TeachersToPinTest, WhatIsPinnedStays) {
  JobInfo job = Running();
  job.teachers["clip"] = Contract("clip", "first");
  EXPECT_TRUE(TeachersToPin(job, Said(2, 0, Contract("clip", "other"))).empty());
  EXPECT_EQ(TeachersToPin(job, Said(2, 0, Contract("dino", "eyes"))).size(), 1u);
}

TEST(TeachersToPinTest, OnlyTeachersOfTheSpecAndOfTheRunningGeneration) {
  EXPECT_TRUE(TeachersToPin(Running(), Said(2, 0, Contract("stranger", "x"))).empty());
  EXPECT_TRUE(TeachersToPin(Running(), Said(1, 0, Contract("clip", "x"))).empty());
  JobInfo idle = Running();
  idle.placement.clear();
  EXPECT_TRUE(TeachersToPin(idle, Said(2, 0, Contract("clip", "x"))).empty());
}

}  // namespace
}  // namespace mimeo
