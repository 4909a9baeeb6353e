#include "base/wait.h"

#include <atomic>
#include <thread>

#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::FakeClock;

TEST(WaitTest, AWaitLastsUntilTheClockSaysSo) {
  FakeClock clock;
  const absl::Time until = clock.Now() + absl::Seconds(10);
  std::atomic<bool> over{false};
  std::thread waiter([&] {
    WaitUntil(until, &clock);
    over = true;
  });
  clock.Advance(absl::Seconds(9));
  EXPECT_FALSE(over);
  clock.Advance(absl::Seconds(1));
  waiter.join();
  WaitUntil(until, &clock);  // what is past is not waited for
  WaitFor(-absl::Seconds(1), &clock);
}

TEST(WaitTest, TheRealClockIsWaitedForToo) {
  const absl::Time begin = Clock::Real()->Now();
  WaitUntil(begin + absl::Milliseconds(20));
  EXPECT_GE(Clock::Real()->Now(), begin + absl::Milliseconds(20));
  WaitFor(absl::Milliseconds(20));
  EXPECT_GE(Clock::Real()->Now(), begin + absl::Milliseconds(40));
}

TEST(WaitTest, WithoutAStopItLastsToItsEnd) {
  const absl::Time until = Clock::Real()->Now() + absl::Milliseconds(120);
  int asked = 0;
  EXPECT_FALSE(WaitUntilOrStop(until, [&] { return ++asked < 0; }));
  EXPECT_GE(Clock::Real()->Now(), until);
  EXPECT_GE(asked, 2) << "before the wait and while it lasts";
}

TEST(WaitTest, AStopEndsItSoon) {
  FakeClock clock;
  const absl::Time never = absl::InfiniteFuture();
  EXPECT_TRUE(WaitUntilOrStop(
      never, [] { return true; }, &clock))
      << "wanted before";
  std::atomic<bool> stop{false};
  std::atomic<bool> stopped{false};
  std::thread waiter([&] {
    stopped = WaitUntilOrStop(
        never, [&] { return stop.load(); }, &clock);
  });
  clock.Advance(absl::Seconds(1));
  EXPECT_FALSE(stopped);
  stop = true;
  while (!stopped) clock.Advance(absl::Milliseconds(10));
  waiter.join();
}

TEST(WaitTest, AStopThatComesAtTheEndIsAStop) {
  FakeClock clock;
  EXPECT_TRUE(WaitUntilOrStop(
      clock.Now(), [] { return true; }, &clock));
  EXPECT_FALSE(WaitUntilOrStop(
      clock.Now(), [] { return false; }, &clock));
}

}  // namespace
}  // namespace mimeo
