// One stream of a client, from its first frame to its status. Frames become a request, which passes admission and the
// batcher and whose answer becomes frames. gRPC's reactions drive it, so it has no thread of its own. Any thread may
// call it.
//
// Reading stops while max_requests_in_flight requests have no written answer, or while the next one is not admitted. So
// what a client that never reads can make the server hold is bounded by a constant.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics_server.h"
#include "proto/teacher.pb.h"
#include "teacher/teacher_frames.h"
#include "teacher_server/admission.h"
#include "teacher_server/batcher.h"

namespace mimeo {

// Its lock is not held while Admission is asked, because that may call OnAdmitted at once. The batcher calls OnAnswer
// later, on its compute thread.
class FeatureStream : public grpc::ServerBidiReactor<FeatureRequest, FeatureReply> {
 public:
  // What all streams of a server share. It outlives them.
  struct Shared {
    FeatureGeometry geometry;
    int max_requests_in_flight = 1;
    Admission* admission = nullptr;
    Batcher* batcher = nullptr;
    Metrics* metrics = nullptr;
    Clock* clock = nullptr;
  };

  // Begins to read. The stream owns itself until gRPC is done with it, when `ended` is called, and until every answer
  // that the batcher owes it has come.
  static std::shared_ptr<FeatureStream> Start(const Shared& shared, uint64_t id, grpc::CallbackServerContext* context,
                                              std::function<void()> ended);
  ~FeatureStream() override;

  // Ends the stream with `status`, whatever it is doing. A stream that has ended already stays as it is.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the stream with DeadlineExceeded if it holds memory and its client has neither sent nor read since `since`.
  void EndIfStalled(absl::Time since) ABSL_LOCKS_EXCLUDED(mu_);

  // gRPC's reactions. There is one read and one write under way at a time, so each of the two frames has one owner.
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override;
  void OnDone() override;

 private:
  // A request that was read, and whose answer is not written yet.
  struct InFlight {
    uint64_t request_id = 0;
    Admission::Lease lease;
    std::string answer;
  };

  FeatureStream(const Shared& shared, uint64_t id, grpc::CallbackServerContext* context, std::function<void()> ended);

  // What Admission and the batcher call, once for each request. After the stream has ended they change nothing.
  void OnAdmitted(absl::StatusOr<Admission::Lease> lease) ABSL_LOCKS_EXCLUDED(mu_);
  void OnAnswer(absl::StatusOr<std::string> answer) ABSL_LOCKS_EXCLUDED(mu_);
  // Starts the next read, or notes that reading pauses.
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives the frame to the assembler, and submits the request if it is complete now.
  void TakeFrame() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Starts to write the oldest answer, if there is one and nothing is being written.
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends the stream, the first time that it is called.
  void FinishOnce(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Shared shared_;
  const uint64_t id_;
  grpc::CallbackServerContext* const context_;
  const std::function<void()> ended_;

  absl::Mutex mu_;
  std::shared_ptr<FeatureStream> self_ ABSL_GUARDED_BY(mu_);  // until OnDone
  FeatureRequest request_frame_;                              // gRPC's while a read is under way
  FeatureReply reply_frame_;                                  // gRPC's while a write is under way
  FeatureRequestAssembler assembler_ ABSL_GUARDED_BY(mu_);
  Admission::Lease next_lease_ ABSL_GUARDED_BY(mu_);     // for the request that is being assembled
  std::deque<InFlight> in_flight_ ABSL_GUARDED_BY(mu_);  // oldest first; the first num_answered_ have their answers
  size_t num_answered_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<FeatureReplyFrames> writing_ ABSL_GUARDED_BY(mu_);  // the answer of in_flight_.front()
  bool read_paused_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ended_ ABSL_GUARDED_BY(mu_) = false;  // the client sends no more
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  // When the client last sent or took something, or when the server let it go on: what EndIfStalled compares.
  absl::Time last_progress_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
