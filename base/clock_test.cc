#include "base/clock.h"

#include <thread>

#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(ClockTest, RealClockReturnsWhenTheConditionHolds) {
  absl::Mutex mu;
  bool ready = false;
  std::thread setter([&] {
    absl::MutexLock lock(&mu);
    ready = true;
  });
  {
    absl::MutexLock lock(&mu);
    EXPECT_TRUE(Clock::Real()->Await(&mu, absl::Condition(&ready), absl::InfiniteFuture()));
  }
  setter.join();
}

TEST(ClockTest, RealClockGivesUpAtADeadlineInThePast) {
  absl::Mutex mu;
  bool ready = false;
  absl::MutexLock lock(&mu);
  EXPECT_FALSE(Clock::Real()->Await(&mu, absl::Condition(&ready), absl::InfinitePast()));
}

TEST(ClockTest, FakeClockWakesAWaiterByAdvancing) {
  testing::FakeClock clock;
  const absl::Time deadline = clock.Now() + absl::Hours(1);
  bool woke_with = true;
  std::thread waiter([&] {
    absl::Mutex mu;
    bool never = false;
    absl::MutexLock lock(&mu);
    woke_with = clock.Await(&mu, absl::Condition(&never), deadline);
  });
  clock.Advance(absl::Hours(2));
  waiter.join();
  EXPECT_FALSE(woke_with);
  EXPECT_EQ(clock.Now(), absl::UnixEpoch() + absl::Hours(2));
}

}  // namespace
}  // namespace mimeo
