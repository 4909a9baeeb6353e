#include "client/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "absl/synchronization/notification.h"
#include "client/exit_code.h"

namespace mimeo {
namespace {

TEST(InterruptTest, TheFirstSignalCallsWhatWasGiven) {
  absl::Notification called;
  Interrupt interrupt;
  interrupt.OnInterrupt([&] { called.Notify(); });
  EXPECT_FALSE(interrupt.wanted());
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  called.WaitForNotification();
  EXPECT_TRUE(interrupt.wanted());
  interrupt.OnInterrupt(nullptr);
  int late = 0;
  interrupt.OnInterrupt([&] { ++late; });
  EXPECT_EQ(late, 1) << "the signal has come already";
}

TEST(InterruptDeathTest, TheSecondSignalEndsTheProcessAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto stop_twice = [] {
    absl::Notification called, never;
    Interrupt interrupt;
    interrupt.OnInterrupt([&] { called.Notify(); });
    kill(getpid(), SIGINT);
    called.WaitForNotification();
    kill(getpid(), SIGTERM);
    never.WaitForNotification();
  };
  EXPECT_EXIT(stop_twice(), testing::ExitedWithCode(kFailed), "");
}

}  // namespace
}  // namespace mimeo
