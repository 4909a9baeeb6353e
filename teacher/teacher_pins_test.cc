#include "teacher/teacher_pins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;

TeacherContract Contract(const std::string& name, const std::string& digest) {
  TeacherContract contract;
  contract.set_name(name);
  contract.set_weights_digest(digest);
  return contract;
}

// `pinned_` is what the job says; `told_` is what it hears.
class TeacherPinsTest : public ::testing::Test {
 protected:
  std::vector<TeacherContract> pinned_;
  std::vector<std::string> told_;
  TeacherPins pins_{[this] { return pinned_; },
                    [this](const TeacherContract& contract) { told_.push_back(contract.weights_digest()); }};
};

auto IsAnother(const std::string& is, const std::string& was) {
  return StatusIs(absl::StatusCode::kFailedPrecondition,
                  HasSubstr("weights_digest is \"" + is + "\" and was \"" + was + "\""));
}

TEST_F(TeacherPinsTest, OnlyTakingPinsAndTheFirstOneIsToldOnce) {
  EXPECT_OK(pins_.Check(Contract("clip", "a")));
  EXPECT_OK(pins_.Check(Contract("clip", "b"))) << "looking at one takes none";
  EXPECT_TRUE(told_.empty());
  EXPECT_OK(pins_.Take(Contract("clip", "a")));
  EXPECT_OK(pins_.Take(Contract("clip", "a")));
  EXPECT_THAT(told_, ElementsAre("a"));
  EXPECT_THAT(pins_.Take(Contract("clip", "b")), IsAnother("b", "a"));
  EXPECT_THAT(pins_.Check(Contract("clip", "b")), IsAnother("b", "a"));
  EXPECT_THAT(told_, ElementsAre("a")) << "what is refused is not offered to the job";
}

TEST_F(TeacherPinsTest, EachNameHasItsOwn) {
  EXPECT_OK(pins_.Take(Contract("clip", "a")));
  EXPECT_OK(pins_.Take(Contract("dino", "b")));
  EXPECT_THAT(pins_.Take(Contract("dino", "a")), IsAnother("a", "b"));
  const std::vector<TeacherContract> taken = pins_.taken();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].name() + taken[1].name(), "clipdino");
}

TEST_F(TeacherPinsTest, WhatTheJobHasPinnedCountsFromTheStart) {
  pinned_ = {Contract("clip", "a")};
  EXPECT_THAT(pins_.Take(Contract("clip", "b")), IsAnother("b", "a"));
  EXPECT_OK(pins_.Take(Contract("clip", "a")));
  EXPECT_THAT(told_, ElementsAre("a"));
}

TEST_F(TeacherPinsTest, ALaterWordOfTheJobOutweighsWhatThisRankTook) {
  EXPECT_OK(pins_.Take(Contract("clip", "b")));
  pinned_ = {Contract("clip", "a")};
  EXPECT_THAT(pins_.Check(Contract("clip", "b")), IsAnother("b", "a"));
  EXPECT_OK(pins_.Check(Contract("clip", "a")));
  pinned_.clear();  // a word that was heard once stays
  EXPECT_THAT(pins_.Check(Contract("clip", "b")), IsAnother("b", "a"));
  ASSERT_EQ(pins_.taken().size(), 1u);
  EXPECT_EQ(pins_.taken()[0].weights_digest(), "b");
}

// The training's client and the evaluation's are two threads of one rank.
TEST_F(TeacherPinsTest, OfManyThreadsOneIsFirst) {
  constexpr int kThreads = 8;
  std::vector<absl::Status> results(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i, &results] { results[i] = pins_.Take(Contract("clip", std::to_string(i))); });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(told_.size(), 1u);
  for (int i = 0; i < kThreads; ++i) EXPECT_EQ(results[i].ok(), std::to_string(i) == told_[0]) << results[i];
}

}  // namespace
}  // namespace mimeo
