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

class TeacherService : public Teacher::CallbackService {
 public:
  struct Options {
    int max_streams = limits::kTeacherStreams;
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

  int num_streams() const ABSL_LOCKS_EXCLUDED(mu_);
  Admission::Cost admitted() const { return admission_.used(); }

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context, const DescribeRequest* request,
                                     TeacherContract* reply) override;
  grpc::ServerBidiReactor<FeatureRequest, FeatureReply>* StreamFeatures(grpc::CallbackServerContext* context) override;

 private:
  std::vector<std::shared_ptr<FeatureStream>> Streams() const ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);

  const TeacherContract contract_;
  const std::string instance_;  // the word behind kTeacherInstanceKey
  const Options options_;
  Metrics* const metrics_;
  Admission admission_;
  const FeatureStream::Shared shared_;

  mutable absl::Mutex mu_;
  std::map<uint64_t, std::weak_ptr<FeatureStream>> streams_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
