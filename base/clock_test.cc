#include "base/clock.h"

#include <thread>
#include <vector>

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

TEST(ClockTest, RealClockGivesUpAtItsDeadlines) {
  absl::Mutex mu;
  const bool never = false;
  const absl::Time begin = Clock::Real()->Now();
  std::vector<std::thread> waiters;
  for (int i = 1; i <= 20; ++i) {
    waiters.emplace_back([&, i] {
      const absl::Time deadline = begin + absl::Milliseconds(i);
      absl::MutexLock lock(&mu);
      EXPECT_FALSE(Clock::Real()->Await(&mu, absl::Condition(&never), deadline));
      EXPECT_GE(Clock::Real()->Now(), deadline);
    });
  }
  for (std::thread& waiter : waiters) waiter.join();
}

TEST(ClockTest, AnAlarmWaitsForAMutexThatIsHeld) {
  absl::Mutex mu;
  const bool never = false;
  bool waits = false;
  std::thread waiter([&] {
    absl::MutexLock lock(&mu);
    waits = true;
    EXPECT_FALSE(Clock::Real()->Await(&mu, absl::Condition(&never), Clock::Real()->Now() + absl::Milliseconds(5)));
  });
  mu.LockWhen(absl::Condition(&waits));
  // Another's alarm rings meanwhile, though it is later than the one whose mutex is held here.
  absl::Mutex other;
  {
    absl::MutexLock lock(&other);
    EXPECT_FALSE(Clock::Real()->Await(&other, absl::Condition(&never), Clock::Real()->Now() + absl::Milliseconds(20)));
  }
  mu.Unlock();
  waiter.join();
}

TEST(ClockTest, FakeClocksWallIsSetWithoutMovingTime) {
  testing::FakeClock clock;
  clock.SetWall(absl::Hours(24));
  EXPECT_EQ(clock.Now(), absl::UnixEpoch());
  EXPECT_EQ(clock.Wall(), absl::UnixEpoch() + absl::Hours(24));
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
