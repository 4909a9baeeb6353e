// The machine's clock is set, by a day back and by a day forward, under a running cluster: what measures a duration
// does not notice. libfaketime stands in for the machine's clock; every process here reads it anew each time.
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/wait.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Lt;

constexpr char kFakeTime[] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
constexpr absl::Duration kLease = absl::Seconds(5);
constexpr absl::Duration kPatience = absl::Minutes(1);

double SilentSeconds(const Worker& worker) {
  return static_cast<double>(google::protobuf::util::TimeUtil::DurationToMilliseconds(worker.silent_for())) / 1000;
}

class ClockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(FileExists(kFakeTime)) << "the package faketime (scripts/packages.txt) is missing";
    SetClock("+0d");
    cluster_.SetEnvironment({absl::StrCat("LD_PRELOAD=", kFakeTime), absl::StrCat("FAKETIME_TIMESTAMP_FILE=", file_),
                             "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"});
  }
  // "-1d": a day behind.
  void SetClock(const std::string& offset) { ASSERT_TRUE(WriteFileAtomic(file_, offset + "\n").ok()); }

  std::map<std::string, Worker> Workers() {
    std::map<std::string, Worker> workers;
    const ListWorkersReply reply = cluster_.Workers();
    for (const Worker& worker : reply.workers()) workers[worker.identity().id()] = worker;
    return workers;
  }
  // Looks at the workers, a few times a second, until `over`; `each` sees every look.
  void Watch(const std::string& what, const std::function<void(const std::map<std::string, Worker>&)>& each,
             const std::function<bool(const std::map<std::string, Worker>&)>& over) {
    const absl::Time deadline = Clock::Real()->Now() + kPatience;
    while (Clock::Real()->Now() < deadline) {
      const auto workers = Workers();
      each(workers);
      if (over(workers) || HasFailure()) return;
      WaitFor(absl::Milliseconds(100));
    }
    ADD_FAILURE() << "it never came to this: " << what;
  }
  static void ExpectHeld(const std::map<std::string, Worker>& workers, const std::string& id) {
    ASSERT_EQ(workers.count(id), 1u) << id << " has vanished";
    EXPECT_THAT(SilentSeconds(workers.at(id)), AllOf(Ge(0), Lt(absl::ToDoubleSeconds(kLease)))) << id;
    EXPECT_FALSE(workers.at(id).lease_expired()) << id;
  }
  // The job makes a few more steps, and nobody's lease ends meanwhile.
  void ExpectToGoOn() {
    const int64_t from = cluster_.Await(job_, "its ranks", [](const Job& job) { return job.step() > 0; }).step();
    Watch(
        "five more steps", [](const auto& workers) { ExpectHeld(workers, "w0"), ExpectHeld(workers, "w1"); },
        [&](const auto&) {
          return cluster_.Await(job_, "a word", [](const Job&) { return true; }).step() >= from + 5;
        });
  }
  // The lease of an agent that stands still ends when it should, and begins anew.
  void ExpectALeaseToEnd(const std::string& id) {
    const absl::Time stopped = Clock::Real()->Now();
    cluster_.Signal(id, SIGSTOP);
    Watch(
        id + "'s lease ends",
        [&](const auto& workers) {
          ASSERT_EQ(workers.count(id), 1u);
          // Its last heartbeat was before.
          const double most = absl::ToDoubleSeconds(Clock::Real()->Now() - stopped + kLease);
          // Rounded to milliseconds.
          const double least = workers.at(id).lease_expired() ? absl::ToDoubleSeconds(kLease) - 0.01 : 0;
          EXPECT_THAT(SilentSeconds(workers.at(id)), AllOf(Ge(least), Lt(most)));
        },
        [&](const auto& workers) { return workers.at(id).lease_expired(); });
    EXPECT_LT(Clock::Real()->Now() - stopped, kLease + absl::Seconds(15));
    cluster_.Signal(id, SIGCONT);
    Watch(
        id + " is heard again", [](const auto&) {},
        [&](const auto& workers) { return !workers.at(id).lease_expired(); });
  }

  LocalCluster cluster_{kLease};
  const std::string file_ = JoinPath(cluster_.dir(), "faketime");
  std::string job_;
};

TEST_F(ClockTest, ADayBackAndADayForwardEndNoLeaseAndProlongNone) {
  cluster_.StartCoordinator();
  cluster_.StartWorker("w0");
  job_ = cluster_.Submit(TinyJob(1, 100000));  // is cancelled in the end
  cluster_.Await(job_, "a step", [](const Job& job) { return job.step() > 0; });
  cluster_.StartWorker("w1");  // has nothing to do: w0 was the only one
  for (const char* const offset : {"-1d", "+1d"}) {
    SetClock(offset);
    ExpectToGoOn();
    ExpectALeaseToEnd("w1");
    ExpectToGoOn();
    if (HasFailure()) return;
  }
  EXPECT_EQ(cluster_.Await(job_, "a word", [](const Job&) { return true; }).generation(), 1)
      << "its worker was given up, or its rank taken for one that hangs";
  cluster_.Mimeo({"cancel", job_});
  EXPECT_EQ(cluster_.AwaitSuccess(cluster_.Submit(TinyJob(1, 3))).generation(), 1) << "what begins and ends after both";
}

}  // namespace
}  // namespace mimeo
