#include "client/worker_text.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/limits.h"

namespace mimeo {
namespace {

TEST(WorkerRowTest, OneWordForItsStateAndTheCoordinatorsWordsForWhy) {
  Worker worker;
  worker.mutable_identity()->set_id("w1");
  worker.mutable_identity()->set_slots(4);
  worker.set_offered(true);
  const auto state = [&] { return WorkerRow(worker)[1]; };
  EXPECT_EQ(state(), "ready");
  worker.set_offered(false);
  EXPECT_EQ(state(), "ready") << "an earlier version's coordinator says nothing";
  worker.set_note("2 gangs failed here; offered again in 4m");
  worker.set_last_failure("data.path:\n/photos does not exist");
  EXPECT_EQ(state(), "avoided");
  EXPECT_EQ(WorkerRow(worker).back(),
            "2 gangs failed here; offered again in 4m; last failure: data.path: /photos does not exist");
  worker.set_drained(true);
  EXPECT_EQ(state(), "drained");
  EXPECT_EQ(DrainText(worker), "w1 is drained: its 4 slots are empty, and nothing new is placed there");
  worker.set_slots_busy(2);
  EXPECT_EQ(state(), "draining");
  EXPECT_EQ(DrainText(worker),
            "w1 is drained: nothing new is placed there; the gangs on 2 of its 4 slots move after a checkpoint");
  worker.set_leaving(true);
  EXPECT_EQ(state(), "leaving");
  worker.mutable_silent_for()->set_seconds(4);
  EXPECT_EQ(state(), "silent");
  worker.set_lease_expired(true);
  EXPECT_EQ(state(), "gone");
}

TEST(WorkerRowTest, ThreeMissedHeartbeatsMakeAWorkerSilent) {
  Worker worker;
  const int64_t bound = absl::ToInt64Milliseconds(limits::kHeartbeatsMissed * limits::kHeartbeatPeriod);
  worker.mutable_silent_for()->set_seconds(bound / 1000);
  worker.mutable_silent_for()->set_nanos(static_cast<int>(bound % 1000) * 1000000);
  EXPECT_EQ(WorkerRow(worker)[1], "ready");
  worker.mutable_silent_for()->set_nanos(worker.silent_for().nanos() + 1);
  EXPECT_EQ(WorkerRow(worker)[1], "silent");
}

TEST(WorkerRowTest, ANoteIsOneLineOfBoundedLengthWhateverItSays) {
  Worker worker;
  worker.set_note(std::string(5000, 'n') + "\x1b[2J");
  worker.set_last_failure("caf\xe9\nmimeo: done");
  const std::string note = WorkerRow(worker).back();
  EXPECT_EQ(note, std::string(157, 'n') + "...; last failure: caf\\xe9 mimeo: done");
}

TEST(WorkerRowTest, ARowHasACellForEachColumnAndIsEmptyWhereNothingIsKnown) {
  EXPECT_EQ(WorkerRow(Worker()), (std::vector<std::string>{"", "ready", "0", "0", "0.0s", "", "", ""}));
  EXPECT_EQ(WorkerRow(Worker()).size(), WorkerHeader().size());
  Worker worker;
  for (int i = 0; i < 8; ++i) worker.mutable_identity()->add_devices()->set_name("H200");
  worker.mutable_identity()->mutable_devices(0)->set_bfloat16(true);
  worker.mutable_identity()->mutable_devices(0)->set_nvlink(true);
  EXPECT_EQ(WorkerRow(worker)[6], "8x H200, bfloat16, NVLink");
}

TEST(SilenceTextTest, NumbersAtTheirEndsDoNotOverflow) {
  const auto text = [](int64_t seconds, int nanos) {
    google::protobuf::Duration duration;
    duration.set_seconds(seconds);
    duration.set_nanos(nanos);
    return SilenceText(duration);
  };
  EXPECT_EQ(text(0, 0), "0.0s");
  EXPECT_EQ(text(12, 499999999), "12.5s");
  EXPECT_EQ(text(-1, -500000000), "-1.5s");
  EXPECT_EQ(text(std::numeric_limits<int64_t>::max(), 999999999), "9223372036854775808.0s");
  EXPECT_EQ(text(std::numeric_limits<int64_t>::min(), 0), "-9223372036854775808.0s");
}

TEST(DrainTextTest, OneSlotIsSaidAsOne) {
  Worker worker;
  worker.mutable_identity()->set_id("w\x1b[2J");
  worker.mutable_identity()->set_slots(1);
  worker.set_drained(true);
  EXPECT_EQ(DrainText(worker), "w\\x1b[2J is drained: its 1 slot is empty, and nothing new is placed there");
  worker.set_slots_busy(1);
  EXPECT_EQ(DrainText(worker),
            "w\\x1b[2J is drained: nothing new is placed there; the gangs on 1 of its 1 slot move after a checkpoint");
  worker.set_drained(false);
  worker.set_note("2 gangs failed here;\noffered again in 4m");
  EXPECT_EQ(DrainText(worker),
            "w\\x1b[2J is not drained: it is offered gangs again; 2 gangs failed here; offered again in 4m");
}

}  // namespace
}  // namespace mimeo
