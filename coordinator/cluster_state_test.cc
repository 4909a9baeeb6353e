#include "coordinator/cluster_state.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using testing::StatusIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

Event ParseEvent(const std::string& text) {
  Event event;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &event)) << text;
  return event;
}

ClusterState StateOf(const std::vector<std::string>& events) {
  ClusterState state;
  for (const std::string& text : events) {
    const Event event = ParseEvent(text);
    const absl::Status legal = state.Check(event);
    EXPECT_TRUE(legal.ok()) << text << ": " << legal;
    if (legal.ok()) state.Apply(event);
  }
  return state;
}

absl::Status Check(const ClusterState& state, const std::string& text) { return state.Check(ParseEvent(text)); }

std::string Submitted(int number, int ranks) {
  return absl::StrCat("job_submitted { job_id: 'j", number, "' request_id: 'r", number,
                      "' spec { resources { num_ranks: ", ranks, " } } } time { seconds: 7 }");
}
std::string Registered(const std::string& id, int slots, int incarnation = 1) {
  return absl::StrCat("worker_registered { worker { id: '", id, "' incarnation: '", incarnation, "' slots: ", slots,
                      " } }");
}
std::string Placed(int generation, const std::string& worker, int64_t resume_step = 0) {
  return absl::StrCat("gang_placed { job_id: 'j1' generation: ", generation, " worker_ids: '", worker,
                      "' worker_ids: '", worker, "' resume_step: ", resume_step, " }");
}
std::string Ended(int generation, const std::string& end) {
  return absl::StrCat("gang_ended { job_id: 'j1' generation: ", generation, " end: ", end, " reason: 'because' }");
}
std::string Committed(int generation, int64_t step) {
  return absl::StrCat("checkpoint_committed { manifest { job_id: 'j1' generation: ", generation, " step: ", step,
                      " } }");
}
std::string Controlled(const std::string& want) {
  return absl::StrCat("job_controlled { job_id: 'j1' want: ", want, " }");
}

// j1 runs generation 1, two ranks on w0.
std::vector<std::string> Running() { return {Registered("w0", 2), Submitted(1, 2), Placed(1, "w0")}; }

std::vector<std::string> With(std::vector<std::string> events, const std::vector<std::string>& more) {
  events.insert(events.end(), more.begin(), more.end());
  return events;
}

TEST(ClusterStateTest, ASubmittedJobIsPendingAndItsRequestIsKnown) {
  const ClusterState state = StateOf({Submitted(1, 2)});
  const JobInfo& job = state.jobs().at("j1");
  EXPECT_EQ(job.state, JOB_STATE_PENDING);
  EXPECT_EQ(job.want, WANT_RUN);
  EXPECT_EQ(job.submitted_unix_ms, 7000);
  EXPECT_EQ(state.requests().at("r1"), "j1");
  EXPECT_EQ(state.NextJobId(), "j2");
}

TEST(ClusterStateTest, SubmissionsThatAreRefused) {
  const ClusterState state = StateOf({Submitted(1, 2)});
  EXPECT_THAT(Check(state, Submitted(3, 1)), StatusIs(kInvalid, "j3 is not the next one, j2"));
  EXPECT_THAT(Check(state, Submitted(2, 0)), StatusIs(kInvalid, "resources.num_ranks: 0"));
  EXPECT_THAT(Check(state, Submitted(2, limits::kRanksPerJob + 1)), StatusIs(kInvalid, "4097 is not in [1, 4096]"));
  EXPECT_THAT(Check(state, "job_submitted { job_id: 'j2' request_id: 'r1' spec { resources { num_ranks: 1 } } }"),
              StatusIs(absl::StatusCode::kAlreadyExists, "made j1"));
  EXPECT_THAT(Check(state, "job_submitted { job_id: 'j2' spec { resources { num_ranks: 1 } } }"),
              StatusIs(kInvalid, "request_id"));
}

TEST(ClusterStateTest, APlacementTakesSlotsAndItsEndGivesThemBack) {
  ClusterState state = StateOf(Running());
  EXPECT_EQ(state.jobs().at("j1").state, JOB_STATE_RUNNING);
  EXPECT_EQ(state.SlotsBusy("w0"), 2);
  EXPECT_EQ(state.SlotsHeld("w0").at("j1"), 2);
  state.Apply(ParseEvent(Ended(1, "GANG_END_COMPLETED")));
  EXPECT_EQ(state.jobs().at("j1").state, JOB_STATE_SUCCEEDED);
  EXPECT_EQ(state.SlotsBusy("w0"), 0);
}

TEST(ClusterStateTest, PlacementsThatAreRefused) {
  const ClusterState pending = StateOf({Registered("w0", 2), Registered("w1", 1), Submitted(1, 2)});
  EXPECT_THAT(Check(pending, Placed(2, "w0")), StatusIs(kPrecondition, "2 does not follow 0"));
  EXPECT_THAT(Check(pending, Placed(1, "w1")), StatusIs(kPrecondition, "w1 has 1 slots"));
  EXPECT_THAT(Check(pending, Placed(1, "w7")), StatusIs(kNotFound, "w7"));
  EXPECT_THAT(Check(pending, Placed(1, "w0", 30)), StatusIs(kPrecondition, "no checkpoint of step 30"));
  EXPECT_THAT(Check(pending, "gang_placed { job_id: 'j1' generation: 1 worker_ids: 'w0' }"),
              StatusIs(kInvalid, "1 for 2 ranks"));
  EXPECT_THAT(Check(StateOf(Running()), Placed(2, "w0")), StatusIs(kPrecondition, "j1 is running"));
  EXPECT_THAT(Check(StateOf({Registered("w0", 2), Submitted(1, 2), Controlled("WANT_PAUSE")}), Placed(1, "w0")),
              StatusIs(kPrecondition, "j1 is paused"));
}

// Two gangs may not hold one slot.
TEST(ClusterStateTest, BusySlotsAreNotGivenTwice) {
  const ClusterState state = StateOf(With(Running(), {Submitted(2, 1)}));
  EXPECT_THAT(Check(state, "gang_placed { job_id: 'j2' generation: 1 worker_ids: 'w0' }"),
              StatusIs(kPrecondition, "w0 has 2 slots, 2 busy"));
}

TEST(ClusterStateTest, WhereAJobGoesWhenItsGangEnds) {
  struct Case {
    std::vector<std::string> before;
    std::string end;
    JobState state;
    int failures;
  };
  const std::vector<Case> cases = {
      {{}, "GANG_END_COMPLETED", JOB_STATE_SUCCEEDED, 0},
      {{}, "GANG_END_FAILED", JOB_STATE_PENDING, 1},
      {{}, "GANG_END_REPLACED", JOB_STATE_PENDING, 0},
      {{}, "GANG_END_STOPPED", JOB_STATE_PENDING, 0},
      {{Controlled("WANT_PAUSE")}, "GANG_END_STOPPED", JOB_STATE_PAUSED, 0},
      {{Controlled("WANT_PAUSE")}, "GANG_END_FAILED", JOB_STATE_PAUSED, 1},
      {{Controlled("WANT_PAUSE")}, "GANG_END_COMPLETED", JOB_STATE_SUCCEEDED, 0},
      {{Controlled("WANT_CANCEL")}, "GANG_END_STOPPED", JOB_STATE_PENDING, 0},
  };
  for (const Case& c : cases) {
    const ClusterState state = StateOf(With(With(Running(), c.before), {Ended(1, c.end)}));
    EXPECT_EQ(state.jobs().at("j1").state, c.state) << c.end;
    EXPECT_EQ(state.jobs().at("j1").failures_in_a_row, c.failures) << c.end;
  }
}

TEST(ClusterStateTest, OnlyTheRunningGenerationEndsCommitsOrIsFenced) {
  const ClusterState state =
      StateOf(With(Running(), {Committed(1, 10), Ended(1, "GANG_END_FAILED"), Placed(2, "w0", 10)}));
  EXPECT_THAT(Check(state, Ended(1, "GANG_END_FAILED")), StatusIs(kPrecondition, "does not run generation 1"));
  EXPECT_THAT(Check(state, Committed(1, 20)), StatusIs(kPrecondition, "j1 generation 1 is fenced by 2"));
  EXPECT_THAT(Check(state, Committed(3, 20)), StatusIs(kPrecondition, "never had a generation 3"));
  EXPECT_OK(Check(state, Committed(2, 20)));
  EXPECT_THAT(Check(state, Committed(2, 0)), StatusIs(kInvalid, "manifest.step: 0"));
  const ClusterState ended = StateOf(With(Running(), {Ended(1, "GANG_END_FAILED")}));
  EXPECT_THAT(Check(ended, Committed(1, 20)), StatusIs(kPrecondition, "has ended and is fenced: because"));
}

TEST(ClusterStateTest, ANewCheckpointForgivesFailuresAndAnOldOneDoesNot) {
  ClusterState state = StateOf(With(Running(), {Committed(1, 10), Ended(1, "GANG_END_FAILED"), Placed(2, "w0", 10)}));
  state.Apply(ParseEvent(Committed(2, 10)));
  EXPECT_EQ(state.jobs().at("j1").failures_in_a_row, 1);
  EXPECT_EQ(state.jobs().at("j1").checkpoint_steps, std::vector<int64_t>({10}));
  state.Apply(ParseEvent(Committed(2, 20)));
  EXPECT_EQ(state.jobs().at("j1").failures_in_a_row, 0);
  EXPECT_EQ(state.jobs().at("j1").checkpoint_steps, std::vector<int64_t>({10, 20}));
}

TEST(ClusterStateTest, TheNewestCheckpointIsNeverDeleted) {
  const ClusterState state = StateOf(With(Running(), {Committed(1, 10), Committed(1, 20)}));
  EXPECT_OK(Check(state, "checkpoint_deleted { job_id: 'j1' step: 10 }"));
  EXPECT_THAT(Check(state, "checkpoint_deleted { job_id: 'j1' step: 20 }"), StatusIs(kPrecondition, "newest"));
  EXPECT_THAT(Check(state, "checkpoint_deleted { job_id: 'j1' step: 15 }"), StatusIs(kNotFound, "step 15"));
}

TEST(ClusterStateTest, DataArePinnedOnce) {
  const ClusterState state =
      StateOf(With(Running(), {"dataset_pinned { job_id: 'j1' digest: 'd1' num_samples: 100 total_steps: 50 }"}));
  EXPECT_EQ(state.jobs().at("j1").total_steps, 50);
  EXPECT_THAT(Check(state, "dataset_pinned { job_id: 'j1' digest: 'd2' }"), StatusIs(kPrecondition, "pinned to d1"));
  EXPECT_THAT(Check(StateOf(Running()), "dataset_pinned { job_id: 'j1' }"), StatusIs(kInvalid, "digest"));
}

TEST(ClusterStateTest, WhatAPersonMayAsk) {
  EXPECT_THAT(Check(StateOf({}), Controlled("WANT_PAUSE")), StatusIs(kNotFound, "j1"));
  EXPECT_THAT(Check(StateOf(Running()), Controlled("WANT_UNSPECIFIED")), StatusIs(kInvalid, "WANT_RUN"));
  EXPECT_THAT(Check(StateOf(With(Running(), {Controlled("WANT_CANCEL")})), Controlled("WANT_RUN")),
              StatusIs(kPrecondition, "being cancelled"));
  EXPECT_THAT(Check(StateOf(With(Running(), {Ended(1, "GANG_END_COMPLETED")})), Controlled("WANT_PAUSE")),
              StatusIs(kPrecondition, "j1 is succeeded already"));
}

// What failed may be mended: the job goes on from its checkpoint, and what failed before is forgiven.
TEST(ClusterStateTest, AFailedJobMayBeResumedAndNoOtherFinalOne) {
  const std::vector<std::string> failed =
      With(Running(), {Committed(1, 10),
                       "gang_ended { job_id: 'j1' generation: 1 end: GANG_END_FAILED permanent: true status_code: 5 "
                       "reason: 'no photos' "
                       "failures { worker_id: 'w0' status_code: 5 message: 'no photos' } }",
                       "job_finished { job_id: 'j1' state: JOB_STATE_FAILED status_code: 5 reason: 'no photos' }"});
  ClusterState state = StateOf(failed);
  EXPECT_EQ(state.NumUnfinished(), 0);
  EXPECT_EQ(state.jobs().at("j1").failures.size(), 1u);
  EXPECT_THAT(Check(state, Controlled("WANT_PAUSE")), StatusIs(kPrecondition, "j1 is failed already"));
  EXPECT_THAT(Check(state, Controlled("WANT_CANCEL")), StatusIs(kPrecondition, "j1 is failed already"));
  EXPECT_OK(Check(state, Controlled("WANT_RUN")));
  state.Apply(ParseEvent(Controlled("WANT_RUN")));
  const JobInfo& job = state.jobs().at("j1");
  EXPECT_EQ(job.state, JOB_STATE_PENDING);
  EXPECT_FALSE(job.failed_for_good);
  EXPECT_EQ(job.failures_in_a_row, 0);
  EXPECT_EQ(job.status_code, 0);
  EXPECT_TRUE(job.failures.empty());
  EXPECT_EQ(state.NumUnfinished(), 1);
  EXPECT_OK(Check(state, Placed(2, "w0", 10)));
  const ClusterState cancelled = StateOf({Submitted(1, 1), "job_finished { job_id: 'j1' state: JOB_STATE_CANCELLED }"});
  EXPECT_THAT(Check(cancelled, Controlled("WANT_RUN")), StatusIs(kPrecondition, "j1 is cancelled already"));
}

TEST(ClusterStateTest, AJobThatPausedItselfIsResumedWithItsFailuresForgiven) {
  const std::string paused = "job_paused { job_id: 'j1' reason: 'five failures' status_code: 13 }";
  EXPECT_THAT(Check(StateOf(Running()), paused), StatusIs(kPrecondition, "runs generation 1"));
  ClusterState state = StateOf(With(Running(), {Ended(1, "GANG_END_FAILED"), paused}));
  EXPECT_EQ(state.jobs().at("j1").state, JOB_STATE_PAUSED);
  EXPECT_EQ(state.jobs().at("j1").want, WANT_PAUSE);
  EXPECT_TRUE(state.jobs().at("j1").paused_itself);
  state.Apply(ParseEvent(Controlled("WANT_RUN")));
  EXPECT_EQ(state.jobs().at("j1").state, JOB_STATE_PENDING);
  EXPECT_EQ(state.jobs().at("j1").failures_in_a_row, 0);
  EXPECT_FALSE(state.jobs().at("j1").paused_itself);
}

TEST(ClusterStateTest, OfEachWorkerTheNewestFailureIsRememberedUntilANewCheckpoint) {
  const auto failed = [](int generation, const std::string& worker) {
    return absl::StrCat("gang_ended { job_id: 'j1' generation: ", generation,
                        " end: GANG_END_FAILED failures { worker_id: '", worker, "' message: 'generation ", generation,
                        "' } }");
  };
  ClusterState state =
      StateOf(With(Running(), {failed(1, "w0"), Placed(2, "w0"), failed(2, "w1"), Placed(3, "w0"), failed(3, "w0")}));
  const std::vector<WorkerFailure>& failures = state.jobs().at("j1").failures;
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].worker_id(), "w1");
  EXPECT_EQ(failures[1].message(), "generation 3");
  for (int generation = 4; generation <= 3 + limits::kFailuresNamed; ++generation) {
    state.Apply(ParseEvent(Placed(generation, "w0")));
    state.Apply(ParseEvent(failed(generation, absl::StrCat("v", generation))));
  }
  EXPECT_EQ(failures.size(), size_t{limits::kFailuresNamed});
  EXPECT_EQ(failures[0].worker_id(), "v4") << "the oldest went";
  state.Apply(ParseEvent(Placed(100, "w0")));
  state.Apply(ParseEvent(Committed(100, 10)));
  EXPECT_TRUE(failures.empty());
}

TEST(ClusterStateTest, ADrainedWorkerStaysSoWhenItGoesAndComesBack) {
  const std::string drained = "worker_drained { worker_id: 'w0' drained: true }";
  EXPECT_THAT(Check(StateOf({}), drained), StatusIs(kNotFound, "w0"));
  ClusterState state =
      StateOf({Registered("w0", 2), drained, Registered("w0", 2, 2), "worker_forgotten { worker_id: 'w0' }"});
  EXPECT_TRUE(state.IsDrained("w0"));
  state.Apply(ParseEvent("worker_drained { worker_id: 'w0' drained: false }"));
  EXPECT_FALSE(state.IsDrained("w0"));
  EXPECT_THAT(Check(state, "worker_drained { worker_id: 'w0' drained: false }"), StatusIs(kNotFound, "w0"));
}

TEST(ClusterStateTest, CountsFollowTheEvents) {
  ClusterState state = StateOf(With(Running(), {Registered("w1", 4), Submitted(2, 1)}));
  EXPECT_EQ(state.NumJobs(JOB_STATE_RUNNING), 1);
  EXPECT_EQ(state.NumJobs(JOB_STATE_PENDING), 1);
  EXPECT_EQ(state.num_slots(), 6);
  EXPECT_EQ(state.num_slots_busy(), 2);
  state.Apply(ParseEvent(Registered("w1", 3, 2)));
  state.Apply(ParseEvent(Ended(1, "GANG_END_COMPLETED")));
  EXPECT_EQ(state.num_slots(), 5);
  EXPECT_EQ(state.num_slots_busy(), 0);
  EXPECT_EQ(state.NumJobs(JOB_STATE_SUCCEEDED), 1);
  EXPECT_EQ(state.NumUnfinished(), 1);
  state.Apply(ParseEvent("worker_forgotten { worker_id: 'w1' }"));
  EXPECT_EQ(state.num_slots(), 2);
}

TEST(ClusterStateTest, AJobFinishesOnlyWithoutAGang) {
  const std::string finished = "job_finished { job_id: 'j1' state: JOB_STATE_CANCELLED reason: 'asked' }";
  EXPECT_THAT(Check(StateOf(Running()), finished), StatusIs(kPrecondition, "runs generation 1"));
  const ClusterState state = StateOf({Submitted(1, 1), finished});
  EXPECT_EQ(state.jobs().at("j1").state, JOB_STATE_CANCELLED);
  EXPECT_THAT(Check(state, finished), StatusIs(kPrecondition, "j1 is cancelled already"));
  EXPECT_THAT(Check(StateOf({Submitted(1, 1)}), "job_finished { job_id: 'j1' state: JOB_STATE_SUCCEEDED }"),
              StatusIs(kInvalid, "gang's end"));
}

TEST(ClusterStateTest, WorkersThatAreRefused) {
  const ClusterState state = StateOf(Running());
  EXPECT_THAT(Check(state, Registered("no spaces", 1)), StatusIs(kInvalid, "worker.id"));
  EXPECT_THAT(Check(state, Registered("", 1)), StatusIs(kInvalid, "worker.id"));
  EXPECT_THAT(Check(state, Registered(std::string(65, 'w'), 1)), StatusIs(kInvalid, "{1,64}"));
  EXPECT_THAT(Check(state, Registered("w1", 0)), StatusIs(kInvalid, "worker.slots: 0"));
  EXPECT_THAT(Check(state, Registered("w1", limits::kSlotsPerWorker + 1)), StatusIs(kInvalid, "[1, 64]"));
  EXPECT_THAT(Check(state, Registered("w0", 1)), StatusIs(kPrecondition, "fewer than the 2 busy"));
  EXPECT_THAT(Check(state, Registered("w0", 2, 2)), StatusIs(kPrecondition, "w0 restarted"));
  EXPECT_THAT(Check(state, "worker_forgotten { worker_id: 'w0' }"), StatusIs(kPrecondition, "runs ranks"));
  EXPECT_THAT(Check(state, "worker_forgotten { worker_id: 'w9' }"), StatusIs(kNotFound, "w9"));
}

TEST(ClusterStateTest, TeachersComeMoveAndGo) {
  const std::string registered = "teacher_registered { name: 'clip' incarnation: '1' address: 'a:1' }";
  ClusterState state = StateOf({registered, "teacher_registered { name: 'clip' incarnation: '2' address: 'a:2' }"});
  EXPECT_EQ(state.teachers().at("clip").address, "a:2");
  state.Apply(ParseEvent("teacher_forgotten { name: 'clip' }"));
  EXPECT_TRUE(state.teachers().empty());
  EXPECT_THAT(Check(state, "teacher_forgotten { name: 'clip' }"), StatusIs(kNotFound, "clip"));
  EXPECT_THAT(Check(state, "teacher_registered { name: 'clip' incarnation: '1' }"), StatusIs(kInvalid, "address"));
}

TEST(ClusterStateTest, AnEventOfAnotherVersionIsRefused) {
  EXPECT_THAT(Check(StateOf({}), "time { seconds: 1 }"), StatusIs(kInvalid, "newer version"));
}

// Equal texts must mean equal states: everything that an event changes shows.
TEST(ClusterStateTest, EveryEventChangesTheText) {
  const std::vector<std::string> events = {
      Registered("w0", 2),
      Submitted(1, 2),
      Placed(1, "w0"),
      "dataset_pinned { job_id: 'j1' digest: 'd1' num_samples: 100 total_steps: 50 }",
      Committed(1, 10),
      Committed(1, 20),
      "checkpoint_deleted { job_id: 'j1' step: 10 }",
      Controlled("WANT_PAUSE"),
      Ended(1, "GANG_END_FAILED"),
      "job_paused { job_id: 'j1' reason: 'a person must look' status_code: 13 }",
      Controlled("WANT_RUN"),
      Placed(2, "w0"),
      "gang_ended { job_id: 'j1' generation: 2 end: GANG_END_FAILED needs_person: true failures { worker_id: 'w0' } }",
      "job_finished { job_id: 'j1' state: JOB_STATE_FAILED reason: 'enough' status_code: 13 }",
      "worker_drained { worker_id: 'w0' drained: true }",
      "worker_forgotten { worker_id: 'w0' }",
      "teacher_registered { name: 'clip' incarnation: '1' address: 'a:1' }",
      "teacher_forgotten { name: 'clip' }",
  };
  std::vector<std::string> so_far;
  std::string before = StateOf({}).DebugString();
  for (const std::string& event : events) {
    so_far.push_back(event);
    const std::string after = StateOf(so_far).DebugString();
    EXPECT_NE(after, before) << event;
    EXPECT_EQ(after, StateOf(so_far).DebugString());
    before = after;
  }
}

}  // namespace
}  // namespace mimeo
