#include "worker/rank/coordinator_link.h"

#include <unistd.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/cancellable_call.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "proto/coordinator.grpc.pb.h"
#include "spdlog/spdlog.h"
#include "worker/rank/checkpoint_transfer.h"
#include "worker/rank/spool.h"

namespace mimeo {
namespace {

struct Snapshot {
  CheckpointManifest manifest;
  std::function<absl::StatusOr<std::string>()> serialize;
  std::string stream;  // what it gave
};

class GrpcCoordinatorLink : public CoordinatorLink {
 public:
  GrpcCoordinatorLink(const ChannelOptions& channels, const std::string& address, const std::string& job_id,
                      int64_t generation)
      : job_id_(job_id),
        generation_(generation),
        cluster_(Cluster::NewStub(OpenChannel(channels, address))),
        chunks_(ChunkStore::NewStub(OpenChannel(channels, address))),
        reporter_([this] { ReportLoop(); }),
        uploader_([this] { UploadLoop(); }) {}

  ~GrpcCoordinatorLink() override {
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
    }
    report_call_.Cancel();
    upload_call_.Cancel();
    reporter_.join();
    uploader_.join();
  }

  void ReportStep(const StepMetrics& step) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (!fenced_.ok()) return;
    steps_.Push(step);
  }

  void ReportEvaluation(const EvaluationResult& evaluation) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (!fenced_.ok()) return;
    evaluations_.Push(evaluation);
  }

  void SubmitCheckpoint(CheckpointManifest manifest, std::function<absl::StatusOr<std::string>()> serialize) override
      ABSL_LOCKS_EXCLUDED(mu_) {
    manifest.set_job_id(job_id_);
    manifest.set_generation(generation_);
    absl::MutexLock lock(&mu_);
    if (!fenced_.ok()) return;
    if (waiting_.has_value()) {
      spdlog::warn("checkpoint replaced by a newer one before it was sent step={} newer={}", waiting_->manifest.step(),
                   manifest.step());
    }
    refused_ = absl::OkStatus();
    waiting_ = Snapshot{std::move(manifest), std::move(serialize), ""};
  }

  int64_t committed_step() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return committed_step_;
  }

  absl::Duration checkpoint_time() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return checkpoint_time_;
  }

  absl::Status Drain(absl::Time deadline) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const bool drained = Clock::Real()->Await(&mu_, absl::Condition(this, &GrpcCoordinatorLink::Drained), deadline);
    if (!drained) return absl::DeadlineExceededError("the coordinator did not take everything in time");
    return fenced_.ok() ? refused_ : fenced_;
  }

  absl::Status status() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return fenced_;
  }

 private:
  bool Drained() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !fenced_.ok() || (steps_.empty() && evaluations_.empty() && !waiting_.has_value() && !uploading_);
  }
  bool Over() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_ || !fenced_.ok(); }
  bool HasNumbers() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return Over() || !steps_.empty() || !evaluations_.empty(); }
  bool HasSnapshot() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return Over() || waiting_.has_value(); }

  void SetFenced(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (fenced_.ok()) spdlog::warn("fenced generation={} reason=\"{}\"", generation_, status.ToString());
    fenced_ = status;
    steps_.Clear();
    evaluations_.Clear();
    waiting_.reset();
    upload_call_.Cancel();
  }

  // Waits before another attempt. False: there is none to be made.
  bool Pause(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const absl::Time again = Clock::Real()->Now() + pause;
    return !Clock::Real()->Await(&mu_, absl::Condition(this, &GrpcCoordinatorLink::Over), again);
  }

  void ReportLoop() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ReportOnce() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SendReport(const ReportStepsRequest& numbers, CancellableCall* call);
  void UploadLoop() ABSL_LOCKS_EXCLUDED(mu_);
  void Upload(Snapshot snapshot) ABSL_LOCKS_EXCLUDED(mu_);
  static absl::Status Write(Snapshot* snapshot);
  absl::Status UploadOnce(const Snapshot& snapshot) ABSL_LOCKS_EXCLUDED(mu_);
  bool Settled(const absl::Status& status, int64_t step) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Fence(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Commit(const CheckpointManifest& manifest);

  const std::string job_id_;
  const int64_t generation_;
  const std::unique_ptr<Cluster::Stub> cluster_;
  const std::unique_ptr<ChunkStore::Stub> chunks_;
  CancellableCall report_call_;
  CancellableCall upload_call_;  // refuses all once the generation is fenced

  mutable absl::Mutex mu_;
  Spool<StepMetrics> steps_ ABSL_GUARDED_BY(mu_){limits::kStepsSpooled};
  Spool<EvaluationResult> evaluations_ ABSL_GUARDED_BY(mu_){limits::kEvaluationsPerJob};
  // A message with these was refused: they are sent one by one.
  int64_t alone_until_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t evaluations_alone_until_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<Snapshot> waiting_ ABSL_GUARDED_BY(mu_);
  bool uploading_ ABSL_GUARDED_BY(mu_) = false;
  int64_t committed_step_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration checkpoint_time_ ABSL_GUARDED_BY(mu_);
  absl::Status fenced_ ABSL_GUARDED_BY(mu_);
  absl::Status refused_ ABSL_GUARDED_BY(mu_);  // of the newest snapshot: no attempt would change it
  bool closing_ ABSL_GUARDED_BY(mu_) = false;

  std::thread reporter_;  // after everything that they use
  std::thread uploader_;
};

void GrpcCoordinatorLink::ReportLoop() {
  Backoff backoff;
  absl::Status away;  // the newest answer, so that a long absence is logged once
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &GrpcCoordinatorLink::HasNumbers));
      if (Over()) return;
    }
    const absl::Status status = ReportOnce();
    if (status.ok() != away.ok()) {
      spdlog::warn("step metrics {} the coordinator error=\"{}\"", status.ok() ? "reach" : "wait for",
                   status.ToString());
    }
    away = status;
    if (status.ok()) {
      backoff.Reset();
    } else if (!Pause(backoff.Next())) {
      return;
    }
  }
}

absl::Status GrpcCoordinatorLink::ReportOnce() {
  ReportStepsRequest request;
  int64_t steps_mark = 0;
  int64_t evaluations_mark = 0;
  {
    absl::MutexLock lock(&mu_);
    const bool alone = !steps_.Passed(alone_until_) || !evaluations_.Passed(evaluations_alone_until_);
    const int64_t count = alone ? 1 : limits::kStepsPerReport;
    steps_mark = steps_.Copy(count, limits::kPageBytes / 2, request.mutable_steps());
    // Of the two kinds one at a time, where what is refused is looked for.
    const bool evaluations = !alone || request.steps_size() == 0;
    evaluations_mark =
        evaluations_.Copy(evaluations ? count : 0, limits::kPageBytes / 2, request.mutable_evaluations());
  }
  const absl::Status status = SendReport(request, &report_call_);
  absl::MutexLock lock(&mu_);
  if (absl::IsFailedPrecondition(status)) {
    SetFenced(status);
    return status;
  }
  if (absl::IsInvalidArgument(status) &&
      request.steps_size() + request.evaluations_size() > 1) {  // the others are not refused with it
    alone_until_ = steps_mark;
    evaluations_alone_until_ = evaluations_mark;
    return absl::OkStatus();
  }
  if (absl::IsInvalidArgument(status)) {  // it would be refused for ever and hold up what comes after it
    spdlog::error("numbers refused, dropped step={} error=\"{}\"",
                  request.steps_size() > 0 ? request.steps(0).step() : request.evaluations(0).step(),
                  status.ToString());
  } else if (!status.ok()) {
    return status;
  }
  steps_.Sent(steps_mark);
  evaluations_.Sent(evaluations_mark);
  return absl::OkStatus();
}

absl::Status GrpcCoordinatorLink::SendReport(const ReportStepsRequest& numbers, CancellableCall* call) {
  ReportStepsRequest request = numbers;
  request.set_job_id(job_id_);
  request.set_generation(generation_);
  ReportStepsReply reply;
  return call->Run(limits::kRpcDeadline, CancellableCall::WhenAway::kWait, [&](grpc::ClientContext* context) {
    return FromGrpc(cluster_->ReportSteps(context, request, &reply));
  });
}

void GrpcCoordinatorLink::UploadLoop() {
  while (true) {
    Snapshot snapshot;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &GrpcCoordinatorLink::HasSnapshot));
      if (Over()) return;
      snapshot = *std::exchange(waiting_, std::nullopt);
      uploading_ = true;
    }
    Upload(std::move(snapshot));
    absl::MutexLock lock(&mu_);
    uploading_ = false;
  }
}

absl::Status GrpcCoordinatorLink::Write(Snapshot* snapshot) {
  absl::StatusOr<std::string> stream = snapshot->serialize();
  if (!stream.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the snapshot cannot be written: ", stream.status().message()));
  }
  snapshot->stream = *std::move(stream);
  snapshot->serialize = nullptr;  // and with it the copy that it holds
  return absl::OkStatus();
}

// Until it is committed, refused for good, or overtaken by a newer one.
void GrpcCoordinatorLink::Upload(Snapshot snapshot) {
  const absl::Time began = Clock::Real()->Now();
  if (const absl::Status written = Write(&snapshot); !written.ok()) {
    Settled(written, snapshot.manifest.step());
    return;
  }
  const std::string content_id =
      absl::StrCat("g", generation_, "-p", getpid(), "-", absl::ToUnixNanos(Clock::Real()->Wall()));
  DescribeChunks(snapshot.stream, content_id, &snapshot.manifest);
  const absl::Duration written = absl::Seconds(snapshot.manifest.pause_seconds()) + (Clock::Real()->Now() - began);
  Backoff backoff;
  while (true) {
    const absl::Time attempt = Clock::Real()->Now();
    const absl::Status status = UploadOnce(snapshot);
    if (status.ok()) {
      absl::MutexLock lock(&mu_);
      checkpoint_time_ = written + (Clock::Real()->Now() - attempt);
    }
    if (Settled(status, snapshot.manifest.step())) return;
    // A full disk will not be empty in a moment, and every attempt sends the whole snapshot.
    const absl::Duration pause = absl::IsResourceExhausted(status) ? absl::Seconds(10) : backoff.Next();
    spdlog::warn("checkpoint waits for the coordinator step={} error=\"{}\" again_in={}", snapshot.manifest.step(),
                 status.ToString(), absl::FormatDuration(pause));
    absl::MutexLock lock(&mu_);
    const absl::Time again = Clock::Real()->Now() + pause;
    if (Clock::Real()->Await(&mu_, absl::Condition(this, &GrpcCoordinatorLink::HasSnapshot), again)) return;
  }
}

// Is there nothing more to try for the snapshot of `step`, after an attempt that ended with `status`?
bool GrpcCoordinatorLink::Settled(const absl::Status& status, int64_t step) {
  absl::MutexLock lock(&mu_);
  if (status.ok()) {
    committed_step_ = step;
    return true;
  }
  if (Over()) return true;
  if (absl::IsInvalidArgument(status)) {
    spdlog::error("checkpoint refused step={} error=\"{}\"", step, status.ToString());
    refused_ = status;
    return true;
  }
  return waiting_.has_value();  // the newest wins
}

absl::Status GrpcCoordinatorLink::UploadOnce(const Snapshot& snapshot) {
  const absl::Status put = PutChunks(chunks_.get(), snapshot.manifest, snapshot.stream, &upload_call_);
  if (absl::IsFailedPrecondition(put)) return Fence(put);  // the job has no gang, so this one is not it
  RETURN_IF_ERROR(put);
  const absl::Status committed = Commit(snapshot.manifest);
  if (!absl::IsFailedPrecondition(committed)) return committed;
  // Fenced, or chunks were lost with the coordinator's buffers: an empty report tells the two apart.
  const absl::Status probe = SendReport(ReportStepsRequest(), &upload_call_);
  return absl::IsFailedPrecondition(probe) ? Fence(committed) : committed;
}

absl::Status GrpcCoordinatorLink::Fence(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  SetFenced(status);
  return status;
}

absl::Status GrpcCoordinatorLink::Commit(const CheckpointManifest& manifest) {
  CommitCheckpointRequest request;
  *request.mutable_manifest() = manifest;
  const absl::Duration timeout = 6 * limits::kRpcDeadline;  // it checks every chunk and syncs
  CommitCheckpointReply reply;
  return upload_call_.Run(timeout, CancellableCall::WhenAway::kWait, [&](grpc::ClientContext* context) {
    return FromGrpc(cluster_->CommitCheckpoint(context, request, &reply));
  });
}

}  // namespace

std::unique_ptr<CoordinatorLink> CoordinatorLink::Open(const ChannelOptions& channels,
                                                       const std::string& coordinator_address,
                                                       const std::string& job_id, int64_t generation) {
  return std::make_unique<GrpcCoordinatorLink>(channels, coordinator_address, job_id, generation);
}

}  // namespace mimeo
