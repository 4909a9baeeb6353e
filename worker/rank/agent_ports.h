// The ports of training (worker/training/ports.h) that lead to the agent: they say how this rank goes, and hear whether
// it shall stop.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/data.pb.h"
#include "worker/rank/rank_link.h"
#include "worker/training/ports.h"

namespace mimeo {

// Writes into the status that the link reports. Where a rank waits for several reasons, they are shown together, in the
// order of the alphabet. Any thread may call it, and no call blocks. What a rank waits for is in the heartbeat within a
// second, so `mimeo show` can name it, and its agent does not take it for hung meanwhile.
class AgentStatus final : public StatusSink {
 public:
  explicit AgentStatus(RankLink* agent) : agent_(agent) {}  // outlives it

  void ReportRankStep(const RankStep& step) override;
  void ReportUndecodable(const std::string& field, const PassedOver& row) override ABSL_LOCKS_EXCLUDED(mu_);
  // What the job's data sets leave out, by field, as they were opened. Rank 0 calls it, once; what cannot be decoded is
  // added to it.
  void SetData(std::vector<DataContents> data) ABSL_LOCKS_EXCLUDED(mu_);
  void SetMetric(const std::string& name, double value) override { agent_->SetMetric(name, value); }
  void SetWaiting(const std::string& reason, bool waiting) override { Change(reason, waiting, &reasons_); }
  // Does the same for data that are away. They are told apart because another host may have them, whereas teachers and
  // the coordinator are away for every host.
  void SetWaitingForData(const std::string& reason, bool waiting) { Change(reason, waiting, &data_reasons_); }

 private:
  // Several threads may wait for the same reason, so each reason counts how many do.
  using Reasons = std::multiset<std::string>;
  // `reasons` is one of the two sets below.
  void Change(const std::string& reason, bool waiting, Reasons* reasons) ABSL_LOCKS_EXCLUDED(mu_);

  void TellData() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  RankLink* const agent_;
  absl::Mutex mu_;
  std::vector<DataContents> data_ ABSL_GUARDED_BY(mu_);
  Reasons reasons_ ABSL_GUARDED_BY(mu_);
  Reasons data_reasons_ ABSL_GUARDED_BY(mu_);
};

// Listens for the agent's word and for a signal to stop (base/process.h), on a thread of its own that looks once a
// second. The destructor ends that thread. Once heard, a stop stays wanted. Any thread may ask.
class StopListener {
 public:
  explicit StopListener(RankLink* agent);  // outlives it
  ~StopListener();
  bool wanted() const { return wanted_; }

 private:
  // The thread.
  void Listen();

  RankLink* const agent_;
  std::atomic<bool> wanted_{false};
  // The destructor was called.
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace mimeo
