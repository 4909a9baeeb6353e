// The Teacher service (proto/teacher.proto): it describes one teacher and serves its streams. gRPC's threads call it,
// and none of them blocks in it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher_server/admission.h"
#include "teacher_server/batcher.h"
#include "teacher_server/feature_stream.h"

namespace mimeo {

// It owns the admission that bounds the memory of all streams, and knows every stream that is open. Each answer carries
// a word of this process as metadata (kTeacherInstanceKey), so a client notices when another process takes its place
// behind the same address.
class TeacherService : public Teacher::CallbackService {
 public:
  struct Options {
    // A stream beyond these is refused with ResourceExhausted; its client tries again later.
    int max_streams = limits::kTeacherStreams;
    // What all requests together may hold from the arrival of a header until the answer is written.
    Admission::Cost capacity = {limits::kTeacherQueueImages, limits::kTeacherQueueBytes};
  };

  // `contract` makes sense (GeometryOf). The others outlive this. Every stream must have ended before it is destroyed,
  // which the server's shutdown and then batcher->Stop() see to.
  TeacherService(const TeacherContract& contract, const Options& options, Batcher* batcher, Metrics* metrics,
                 Clock* clock);

  // Ends every stream with Unavailable, and later ones as soon as they begin.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the streams that hold memory while their clients have done nothing since `since`.
  void EndStalled(absl::Time since) ABSL_LOCKS_EXCLUDED(mu_);

  // Open streams, and what they hold at this moment: for tests and metrics.
  int num_streams() const ABSL_LOCKS_EXCLUDED(mu_);
  Admission::Cost admitted() const { return admission_.used(); }

  // The contract. It answers at once, also while the compute thread is busy or every stream is taken.
  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context, const DescribeRequest* request,
                                     TeacherContract* reply) override;
  // Starts a FeatureStream, which owns itself. Once Stop was called, the stream ends with Unavailable.
  grpc::ServerBidiReactor<FeatureRequest, FeatureReply>* StreamFeatures(grpc::CallbackServerContext* context) override;

 private:
  // Those that are still alive. They are ended outside of the lock, because a stream that ends calls Forget.
  std::vector<std::shared_ptr<FeatureStream>> Streams() const ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);

  const TeacherContract contract_;
  const std::string instance_;  // the word behind kTeacherInstanceKey
  const Options options_;
  Metrics* const metrics_;
  Admission admission_;
  const FeatureStream::Shared shared_;

  mutable absl::Mutex mu_;
  // By the stream's number. A stream has its place before it starts, so that it can end before the place is filled.
  std::map<uint64_t, std::weak_ptr<FeatureStream>> streams_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
