// One StreamFeatures call to a teacher, kept open from batch to batch. Requests go out and answers come in at the same
// time, on gRPC's threads: a caller that only wrote could wait for the teacher while the teacher waits for it to read.
// At most one frame in each direction is held. One thread uses it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher/teacher_frames.h"

namespace mimeo {

// gRPC's reactions run on gRPC's threads and change what the mutex guards; the caller only begins, waits and ends. An
// object is used for one call: after an error its owner makes a new one, over a new channel.
class TeacherStream : private grpc::ClientBidiReactor<FeatureRequest, FeatureReply> {
 public:
  // One request, and where its answer goes. The caller owns this memory and keeps it until End.
  struct Slice {
    FeatureRequestHeader header;
    absl::string_view images;
    absl::string_view choice;  // indices or keys, as in FeatureRequestFrames
    absl::Span<char> drawn;    // where the answer's indices go
    absl::Span<char> features;
    TensorType type = TENSOR_TYPE_UNSPECIFIED;  // the features', as the contract states it
  };

  // `instance` is what the server process that is meant said of itself (kTeacherInstanceKey). What another process
  // answers is not taken.
  TeacherStream(Teacher::Stub* stub, const std::string& instance);
  // Cancels the call, and blocks until gRPC is done with it.
  ~TeacherStream() override;

  // One exchange is Begin, Wait as often as one likes, and End. Slices are answered in order.
  void Begin(std::vector<Slice> slices) ABSL_LOCKS_EXCLUDED(mu_);
  // Blocks until `until`. True: every slice is answered, or the stream has ended. False: neither.
  bool Wait(absl::Time until) ABSL_LOCKS_EXCLUDED(mu_);
  struct Outcome {
    size_t num_answered = 0;
    absl::Status status;  // OK when all are answered
  };
  // Ends the exchange. It gives up on what is not answered; then the stream is of no further use, and nothing of the
  // caller's memory is touched any more. DeadlineExceeded: the answers were not there, and nothing else was wrong.
  // DataLoss: the teacher sent an answer that cannot be. Unavailable: the teacher ended the stream without a status, or
  // another server process answers than the one that is meant. Any other status is the teacher's.
  Outcome End() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // gRPC's reactions.
  void OnReadInitialMetadataDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mu_);

  // Starts to write the next frame, unless one is being written.
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Prepares to receive the answer to the next slice.
  void ExpectNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the frame that was read and reads the next one, or ends the call.
  void GoOnReading(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: the frame was one that may come.
  bool TakeReply() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Whoever answers must be this process.
  const std::string instance_;
  grpc::ClientContext context_;

  absl::Mutex mu_;
  FeatureRequest request_frame_;  // gRPC's while a write is under way
  FeatureReply reply_frame_;      // gRPC's while a read is under way, which is nearly always
  std::vector<Slice> slices_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  uint64_t first_id_ ABSL_GUARDED_BY(mu_) = 1;  // of slices_[0]
  size_t num_sent_ ABSL_GUARDED_BY(mu_) = 0;    // slices whose frames have begun
  size_t num_answered_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<FeatureRequestFrames> sending_ ABSL_GUARDED_BY(mu_);
  std::optional<FeatureReplyAssembler> receiving_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  // The process that answers, once that is known. Empty: it did not say.
  std::optional<std::string> answers_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;   // reply_frame_ came before that
  absl::Status error_ ABSL_GUARDED_BY(mu_);  // what we found wrong
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);  // once done
};

}  // namespace mimeo
