#include "client/worker_text.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace mimeo
