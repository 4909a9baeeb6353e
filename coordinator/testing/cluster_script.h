// A cluster in words, for tests: each command goes to a real CoordinatorCore on a fake clock, and what happened comes
// back as text. One thread.
//
//   worker W slots=N [cuda=1 [bf16=1] [nvlink=1]] [incarnation=I]      registers
//   teacher T [incarnation=I] [address=A]          heartbeats
//   submit J ranks=N [priority=P] [device=cuda|cpu] [precision=bf16] [teacher=T] [restarts=N] [keep=N]
//   [by=USER]
//   pause J [by=USER] · resume J [by=USER] · cancel J [by=USER] · delete J · explain J · events J
//   extend J steps=N [seed=N] [by=USER]
//   rank J R PHASE [step=S] [code=C] [digest=D] [store=A] [says=WORDS] [doing=WORDS quiet=N patience=N]   its agent's
//   next heartbeat says so, and comes now;
//                                                  in WORDS an underscore is a space; also waiting=WORDS, misses=WORDS
//                                                  (its data)
//   heartbeat W [leaving=1]                        answers what W should run; leaving: its agent was told to stop
//   leave W                                        its agent says goodbye
//   drain W · undrain W · workers                  lists who is given nothing, is blamed or is silent
//   upload J step=S [content=C] · commit J generation=G step=S [content=C] · report J generation=G step=S
//   advance D [heard=W,T,...]                      time passes; those heard are heard at its end; then the tick
//   wall D                                         somebody sets the machine's clock forward, or back
//   restart                                        the coordinator is gone and recovers from its store
//
// The answer: an error, what the command returns, and the events that it caused, one a line.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/metrics_server.h"
#include "base/testing/fake_clock.h"
#include "coordinator/coordinator.h"
#include "coordinator/coordinator_metrics.h"

namespace mimeo::testing {

// A job small enough for any test, before it is resolved.
JobSpec ScriptJob(int num_ranks);

class ClusterScript {
 public:
  // `store` outlives it. Recovers from what is there.
  ClusterScript(KeyValueStore* store, absl::Duration lease, const JournalBounds& bounds = {});

  std::string Run(const std::string& command);
  CoordinatorCore& core() { return *core_; }

  // All of them, newest first.
  std::vector<Job> Jobs() const;

  // The state that the journal gives to who reads it afresh. REQUIRES: the journal can be read.
  std::string Replayed() const;

 private:
  struct Command {
    std::vector<std::string> words;
    std::map<std::string, std::string> options;
    std::string Option(const std::string& name, const std::string& otherwise = "") const;
    int64_t Number(const std::string& name, int64_t otherwise = 0) const;
  };
  static Command Parse(const std::string& text);

  std::string Execute(const Command& command);
  std::string NewEvents();  // those since the last call

  std::string RegisterWorker(const Command& command);
  std::string TeacherHeartbeat(const std::string& name);
  std::string Submit(const Command& command);
  std::string Control(const Command& command, Want want);
  std::string History(const std::string& job);
  std::string Extend(const Command& command);
  std::string ExplainJob(const std::string& job);
  std::string Rank(const Command& command);
  std::string Heartbeat(const std::string& worker, bool leaving = false);
  std::string LeaveCluster(const std::string& worker);
  std::string Drain(const std::string& worker, bool drained);
  std::string Workers();
  std::string SetWall(const std::string& forward);
  std::string Upload(const Command& command);
  std::string CommitCheckpoint(const Command& command);
  std::string Report(const Command& command);
  std::string Advance(const Command& command);
  std::string Restart();
  CheckpointManifest Manifest(const Command& command) const;

  KeyValueStore* const store_;
  SchedulerOptions options_;
  const JournalBounds bounds_;
  FakeClock clock_;
  Metrics exported_;
  CoordinatorMetrics metrics_;
  std::unique_ptr<CoordinatorCore> core_;
  int64_t events_seen_ = 0;
  std::map<std::string, std::string> incarnations_;          // by worker
  std::map<std::string, TeacherHeartbeatRequest> teachers_;  // by name
  // What each agent says of its ranks, by worker and (job, generation, rank), until the coordinator names the gang no
  // more.
  std::map<std::string, std::map<std::tuple<std::string, int64_t, int>, RankStatus>> statuses_;
};

}  // namespace mimeo::testing
