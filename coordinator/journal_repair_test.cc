#include "coordinator/journal_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Event Submitted(int number) {
  Event event;
  event.mutable_job_submitted()->set_job_id(absl::StrCat("j", number));
  event.mutable_job_submitted()->set_request_id(absl::StrCat("r", number));
  event.mutable_job_submitted()->mutable_spec()->mutable_resources()->set_num_ranks(1);
  return event;
}
Event Worker() {
  Event event;
  event.mutable_worker_registered()->mutable_worker()->set_id("w");
  event.mutable_worker_registered()->mutable_worker()->set_incarnation("i");
  event.mutable_worker_registered()->mutable_worker()->set_slots(1);
  return event;
}
Event Placed(const std::string& job, int64_t generation, int64_t resume_step = 0) {
  Event event;
  event.mutable_gang_placed()->set_job_id(job);
  event.mutable_gang_placed()->set_generation(generation);
  event.mutable_gang_placed()->set_resume_step(resume_step);
  event.mutable_gang_placed()->add_worker_ids("w");
  return event;
}
Event Ended(const std::string& job, int64_t generation) {
  Event event;
  event.mutable_gang_ended()->set_job_id(job);
  event.mutable_gang_ended()->set_generation(generation);
  event.mutable_gang_ended()->set_end(GANG_END_REPLACED);
  return event;
}
Event Committed(const std::string& job, int64_t generation, int64_t step) {
  Event event;
  CheckpointManifest* manifest = event.mutable_checkpoint_committed()->mutable_manifest();
  manifest->set_job_id(job);
  manifest->set_generation(generation);
  manifest->set_step(step);
  return event;
}

FoundJournal Entries(const std::vector<Event>& events, int64_t first = 0) {
  FoundJournal found;
  found.first = first;
  for (const Event& event : events) {
    found.entries.push_back({first + static_cast<int64_t>(found.entries.size()), event.SerializeAsString()});
  }
  return found;
}

// The journal of `before` and `behind`, with a snapshot in the place of the first.
FoundJournal WithSnapshot(const std::vector<Event>& before, const std::vector<Event>& behind) {
  FoundJournal found = Entries(behind, static_cast<int64_t>(before.size()));
  ClusterState state;
  for (const Event& event : before) state.Apply(event);
  state.Snapshot([&](const SnapshotRecord& record) {
    found.snapshot.push_back({static_cast<int64_t>(found.snapshot.size()) + 1, record.SerializeAsString()});
  });
  return found;
}

std::vector<std::string> SetAside(const MendedJournal& journal) {
  std::vector<std::string> lines;
  for (const auto& entry : journal.set_aside) {
    lines.push_back(absl::StrCat(entry.in_snapshot ? "record " : "", entry.number, " ", entry.what, ": ", entry.why));
  }
  return lines;
}

TEST(JournalRepairTest, AWholeJournalStaysAsItIs) {
  const FoundJournal found = Entries({Submitted(1), Worker(), Placed("j1", 1), Ended("j1", 1)});
  const MendedJournal mended = MendJournal(found, {});
  ASSERT_EQ(mended.entries.size(), found.entries.size());
  for (size_t i = 0; i < found.entries.size(); ++i) EXPECT_EQ(mended.entries[i], *found.entries[i].bytes);
  EXPECT_TRUE(mended.set_aside.empty());
  EXPECT_TRUE(mended.changes.empty());
  EXPECT_EQ(mended.state.jobs().at("j1").state, JOB_STATE_PENDING);
}

TEST(JournalRepairTest, WhatIsNoEventIsSetAsideWithItsBytes) {
  FoundJournal found = Entries({Submitted(1), Submitted(2)});
  found.entries.insert(found.entries.begin() + 1, {1, std::string("\xff\xff\xff")});
  found.entries[2].number = 2;
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_EQ(mended.entries.size(), 2u);
  EXPECT_THAT(SetAside(mended), ElementsAre("1 no event: 3 bytes are no event"));
  EXPECT_EQ(mended.set_aside[0].bytes, "\xff\xff\xff");
}

TEST(JournalRepairTest, WhatDependsOnALostEntryIsSetAsideWithTheReason) {
  FoundJournal found =
      Entries({Submitted(1), Worker(), Placed("j1", 1), Committed("j1", 1, 5), Ended("j1", 1), Placed("j1", 2)});
  found.entries[2].bytes = absl::DataLossError("a checksum does not match");
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_THAT(
      SetAside(mended),
      ElementsAre("2 unreadable: a checksum does not match", HasSubstr("3 checkpoint_committed of j1: it contradicts"),
                  HasSubstr("4 gang_ended of j1: it contradicts"), HasSubstr("5 gang_placed of j1: it contradicts")));
  EXPECT_EQ(mended.state.jobs().at("j1").state, JOB_STATE_PENDING) << "it is placed again";
}

// Job ids are consecutive: a lost job must not give its id to another.
TEST(JournalRepairTest, AJobWhoseSubmissionIsLostIsListedAsCancelled) {
  FoundJournal found = Entries({Submitted(1), Submitted(2), Submitted(3), Submitted(4), Worker(), Placed("j4", 1)});
  found.entries[1].bytes = absl::NotFoundError("");
  found.entries[3].bytes = absl::NotFoundError("");
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_EQ(mended.state.jobs().size(), 4u);
  EXPECT_EQ(mended.state.jobs().at("j2").state, JOB_STATE_CANCELLED);
  EXPECT_THAT(mended.state.jobs().at("j2").reason, HasSubstr("could not be read"));
  EXPECT_EQ(mended.state.jobs().at("j3").state, JOB_STATE_PENDING);
  EXPECT_EQ(mended.state.jobs().at("j4").state, JOB_STATE_CANCELLED);
  EXPECT_EQ(mended.state.NextJobId(), "j5");
  EXPECT_EQ(mended.changes.size(), 2u);
}

TEST(JournalRepairTest, WithoutALostCheckpointTheJobGoesOnFromTheOneBefore) {
  const FoundJournal found = Entries({Submitted(1), Worker(), Placed("j1", 1), Committed("j1", 1, 5),
                                      Committed("j1", 1, 9), Ended("j1", 1), Placed("j1", 2, 9)});
  const MendedJournal mended = MendJournal(found, {{"j1", 9}});
  EXPECT_THAT(SetAside(mended), ElementsAre("4 checkpoint_committed of j1: the bytes of step 9 cannot be read"));
  EXPECT_THAT(mended.changes, ElementsAre(HasSubstr("entry 6 (gang_placed of j1): begins from step 5 in place of 9")));
  const JobInfo& job = mended.state.jobs().at("j1");
  EXPECT_EQ(job.resume_step, 5);
  EXPECT_THAT(job.checkpoint_steps, ElementsAre(5));
  EXPECT_EQ(job.state, JOB_STATE_RUNNING);
  Event placed;
  ASSERT_TRUE(placed.ParseFromString(mended.entries.back()));
  EXPECT_EQ(placed.gang_placed().resume_step(), 5) << "what is written says so too";
}

TEST(JournalRepairTest, AJobIdFromNowhereMakesNoJobs) {
  Event controlled;
  controlled.mutable_job_controlled()->set_job_id("j999999999999");
  controlled.mutable_job_controlled()->set_want(WANT_PAUSE);
  const MendedJournal mended = MendJournal(Entries({Submitted(1), controlled}), {});
  EXPECT_EQ(mended.state.jobs().size(), 1u);
  EXPECT_EQ(mended.set_aside.size(), 1u);
}

TEST(JournalRepairTest, AWholeSnapshotStaysAsItIs) {
  const std::vector<Event> before = {Submitted(1), Worker(), Placed("j1", 1), Committed("j1", 1, 5)};
  const std::vector<Event> behind = {Ended("j1", 1), Placed("j1", 2, 5)};
  const FoundJournal found = WithSnapshot(before, behind);
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_EQ(mended.first, 4);
  ASSERT_EQ(mended.snapshot.size(), found.snapshot.size());
  for (size_t i = 0; i < found.snapshot.size(); ++i) EXPECT_EQ(mended.snapshot[i], *found.snapshot[i].bytes);
  EXPECT_EQ(mended.entries.size(), 2u);
  EXPECT_TRUE(mended.set_aside.empty());
  EXPECT_TRUE(mended.changes.empty());
  EXPECT_EQ(mended.state.jobs().at("j1").generation, 2);
}

TEST(JournalRepairTest, OfADamagedSnapshotTheReadableRecordsAreKeptAndTheLossIsSaid) {
  FoundJournal found = WithSnapshot({Submitted(1), Submitted(2), Worker()}, {Placed("j1", 1), Placed("j2", 1)});
  found.snapshot_problem = "journal: the snapshot of its first 3 entries: its records do not match their digest";
  found.snapshot[1].bytes = absl::DataLossError("a checksum does not match");  // j1
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_THAT(SetAside(mended), ElementsAre("record 2 unreadable: a checksum does not match",
                                            HasSubstr("3 gang_placed of j1: it contradicts")));
  EXPECT_THAT(mended.changes, ElementsAre(found.snapshot_problem));
  EXPECT_EQ(mended.state.jobs().count("j1"), 0u);
  EXPECT_EQ(mended.state.jobs().at("j2").state, JOB_STATE_RUNNING);
  EXPECT_EQ(mended.state.NextJobId(), "j3");
  EXPECT_EQ(mended.snapshot.size(), found.snapshot.size() - 1);
}

// The counts are its first record. A job's id must not be given again.
TEST(JournalRepairTest, WithoutItsCountsTheNextJobComesBehindThoseThatAreThere) {
  FoundJournal found = WithSnapshot({Submitted(1), Submitted(2), Submitted(3)}, {Submitted(4)});
  found.snapshot[0].bytes = absl::DataLossError("a checksum does not match");
  const MendedJournal mended = MendJournal(found, {});
  EXPECT_THAT(SetAside(mended), ElementsAre("record 1 unreadable: a checksum does not match"));
  EXPECT_TRUE(mended.changes.empty());
  for (const char* const id : {"j1", "j2", "j3", "j4"}) {
    EXPECT_EQ(mended.state.jobs().at(id).state, JOB_STATE_PENDING) << id;
  }
  EXPECT_EQ(mended.state.NextJobId(), "j5");
}

TEST(JournalRepairTest, AGangOfTheSnapshotThatBeganFromAnotherCheckpointStays) {
  const FoundJournal found =
      WithSnapshot({Submitted(1), Worker(), Placed("j1", 1), Committed("j1", 1, 3), Committed("j1", 1, 5),
                    Committed("j1", 1, 9), Ended("j1", 1), Placed("j1", 2, 3)},
                   {});
  const MendedJournal mended = MendJournal(found, {{"j1", 9}});
  EXPECT_TRUE(mended.changes.empty());
  EXPECT_THAT(mended.state.jobs().at("j1").checkpoint_steps, ElementsAre(3, 5));
  EXPECT_EQ(mended.state.jobs().at("j1").resume_step, 3);
}

TEST(JournalRepairTest, ALostCheckpointOfTheSnapshotIsForgotten) {
  const FoundJournal found = WithSnapshot({Submitted(1), Worker(), Placed("j1", 1), Committed("j1", 1, 5),
                                           Committed("j1", 1, 9), Ended("j1", 1), Placed("j1", 2, 9)},
                                          {});
  const MendedJournal mended = MendJournal(found, {{"j1", 9}});
  EXPECT_THAT(mended.changes, ElementsAre(HasSubstr("j1: begins from step 5 in place of 9")));
  EXPECT_THAT(mended.state.jobs().at("j1").checkpoint_steps, ElementsAre(5));
  EXPECT_EQ(mended.state.jobs().at("j1").resume_step, 5);
}

}  // namespace
}  // namespace mimeo
