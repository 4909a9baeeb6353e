// A running teacher: service, admission, batcher and gRPC server, put together and taken apart in the right order. Any
// thread may call it.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics_server.h"
#include "base/rpc/rpc.h"
#include "proto/teacher.pb.h"
#include "teacher_server/batcher.h"
#include "teacher_server/teacher_service.h"

namespace mimeo {

// Writes what this server promises into a teacher's contract. Sixteen requests, answers included, fit into
// limits::kTeacherQueueBytes. A request has at most max_batch_images images, or fewer where so many of the teacher's
// own size would not fit.
void SetServingLimits(int max_batch_images, TeacherContract* contract);

// Taking it apart has one safe order. The watch ends first, then the service ends the streams, then the server waits
// until gRPC has let go of them, and at last the batcher stops, when nobody is owed an answer any more. Anything else
// would leave a callback that points to something destroyed.
class ServingTeacher {
 public:
  struct Options {
    // Where ranks connect; port 0 takes a free one.
    std::string listen = "127.0.0.1:0";
    ChannelOptions channels;
    TeacherService::Options service;
  };

  // Serves what `compute` computes under `contract`, whose limits are set (SetServingLimits). `metrics` and `clock`
  // outlive this. FailedPrecondition: the contract makes no sense. Unavailable: the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<ServingTeacher>> Start(const Options& options, const TeacherContract& contract,
                                                               Batcher::Compute compute, Metrics* metrics,
                                                               Clock* clock);
  // Ends open streams with Unavailable, and blocks until the running batch is finished.
  ~ServingTeacher();

  // The port that is bound.
  int port() const { return server_->port(); }
  // The parts, for tests and metrics.
  TeacherService& service() { return service_; }
  const Batcher& batcher() const { return batcher_; }

 private:
  ServingTeacher(const Options& options, const TeacherContract& contract, Batcher::Compute compute, Metrics* metrics,
                 Clock* clock);
  // The watch thread: once per limits::kHeartbeatPeriod it ends the streams of clients that hold memory and have done
  // nothing for limits::kTeacherStall.
  void WatchStreams() ABSL_LOCKS_EXCLUDED(mu_);

  Clock* const clock_;
  // Each uses those above it.
  Batcher batcher_;
  TeacherService service_;
  std::unique_ptr<RpcServer> server_;

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread watch_;
};

}  // namespace mimeo
