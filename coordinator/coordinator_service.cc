#include "coordinator/coordinator_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "coordinator/answer.h"

namespace mimeo {
namespace {

// A watcher that left is noticed after this long at the latest.
constexpr absl::Duration kWatchPeriod = absl::Seconds(1);

// Waits for a change after version `*seen`. An error is what the stream ends with.
absl::StatusOr<Job> AwaitChange(CoordinatorCore* core, grpc::ServerContext* context, const std::string& job_id,
                                int64_t* seen) {
  while (true) {
    ASSIGN_OR_RETURN(CoordinatorCore::Sighting sighting,
                     core->AwaitJob(job_id, *seen, core->clock().Now() + kWatchPeriod));
    if (context->IsCancelled()) return absl::CancelledError("the client left");
    if (sighting.version == *seen) continue;
    *seen = sighting.version;
    return std::move(sighting.job);
  }
}

// Writes what the store has gained since the last call, in messages of bounded size.
class MetricsTail {
 public:
  MetricsTail(const MetricStore& store, std::string job_id, int64_t after_step,
              grpc::ServerWriter<MetricsReply>* writer)
      : store_(store), job_id_(std::move(job_id)), after_step_(after_step), writer_(writer) {}

  absl::Status WriteNew() {
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<StepMetrics> steps,
                       store_.Steps(job_id_, after_step_, limits::kStepsPerReport));
      if (steps.empty()) break;
      MetricsReply reply;
      *reply.mutable_steps() = {steps.begin(), steps.end()};
      if (!writer_->Write(reply)) return absl::CancelledError("the client left");
      after_step_ = steps.back().step();
    }
    ASSIGN_OR_RETURN(const std::vector<EvaluationResult> evaluations, store_.Evaluations(job_id_));
    MetricsReply reply;
    for (const EvaluationResult& evaluation : evaluations) {
      if (!evaluations_sent_.emplace(evaluation.step(), evaluation.generation()).second) continue;
      *reply.add_evaluations() = evaluation;
      if (reply.evaluations_size() < limits::kStepsPerReport) continue;
      if (!writer_->Write(reply)) return absl::CancelledError("the client left");
      reply.Clear();
    }
    if (reply.evaluations_size() == 0 || writer_->Write(reply)) return absl::OkStatus();
    return absl::CancelledError("the client left");
  }

 private:
  const MetricStore& store_;
  const std::string job_id_;
  int64_t after_step_;
  grpc::ServerWriter<MetricsReply>* const writer_;
  std::set<std::pair<int64_t, int64_t>> evaluations_sent_;  // step, generation
};

}  // namespace

grpc::Status CoordinatorService::Submit(grpc::ServerContext*, const SubmitRequest* request, SubmitReply* reply) {
  absl::StatusOr<std::string> job_id = core_->Submit(*request);
  if (job_id.ok()) reply->set_job_id(*job_id);
  return Answer(core_, job_id.status());
}

grpc::Status CoordinatorService::GetJob(grpc::ServerContext*, const GetJobRequest* request, Job* reply) {
  return Answer(core_, core_->GetJob(request->job_id()), reply);
}

grpc::Status CoordinatorService::ListJobs(grpc::ServerContext*, const ListJobsRequest*, ListJobsReply* reply) {
  // What a person reads of a list; a thousand specs would not fit into a message.
  int64_t bytes = 0;
  for (Job& job : core_->ListJobs()) {
    job.clear_ranks();
    bytes += static_cast<int64_t>(job.ByteSizeLong()) + 16;
    if (bytes > limits::kMessageBytes - limits::kChunkBytes) break;
    *reply->add_jobs() = std::move(job);
  }
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::WatchJob(grpc::ServerContext* context, const GetJobRequest* request,
                                          grpc::ServerWriter<Job>* writer) {
  const StreamLimit::Place place(&watchers_);
  if (!place.status().ok()) return Answer(core_, place.status());
  int64_t seen = 0;
  while (true) {
    const absl::StatusOr<Job> job = AwaitChange(core_, context, request->job_id(), &seen);
    if (!job.ok()) return Answer(core_, job.status());
    if (!writer->Write(*job)) return Answer(core_, absl::CancelledError("the client left"));
    if (IsFinal(job->state())) return grpc::Status::OK;
  }
}

grpc::Status CoordinatorService::ControlJob(grpc::ServerContext*, const ControlJobRequest* request, Job* reply) {
  return Answer(core_, core_->Control(request->job_id(), request->want()), reply);
}

grpc::Status CoordinatorService::Explain(grpc::ServerContext*, const GetJobRequest* request, ExplainReply* reply) {
  return Answer(core_, core_->ExplainJob(request->job_id()), reply);
}

grpc::Status CoordinatorService::Metrics(grpc::ServerContext* context, const MetricsRequest* request,
                                         grpc::ServerWriter<MetricsReply>* writer) {
  const StreamLimit::Place place(&watchers_);
  if (!place.status().ok()) return Answer(core_, place.status());
  MetricsTail tail(core_->step_metrics(), request->job_id(), request->after_step(), writer);
  int64_t seen = 0;
  while (true) {
    // The job first, then its numbers: those of a final job are complete.
    const absl::StatusOr<Job> job = AwaitChange(core_, context, request->job_id(), &seen);
    if (!job.ok()) return Answer(core_, job.status());
    const absl::Status written = tail.WriteNew();
    if (!written.ok()) return Answer(core_, written);
    if (!request->follow() || IsFinal(job->state())) return grpc::Status::OK;
  }
}

grpc::Status CoordinatorService::ListWorkers(grpc::ServerContext*, const ListWorkersRequest*, ListWorkersReply* reply) {
  *reply = core_->ListWorkers();
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::ListTeachers(grpc::ServerContext*, const ListTeachersRequest*,
                                              ListTeachersReply* reply) {
  *reply = core_->ListTeachers();
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::ListCheckpoints(grpc::ServerContext*, const ListCheckpointsRequest* request,
                                                 ListCheckpointsReply* reply) {
  const absl::StatusOr<Job> job = core_->GetJob(request->job_id());
  if (!job.ok()) return Answer(core_, job.status());
  absl::StatusOr<std::vector<CheckpointManifest>> manifests = core_->checkpoints().ListManifests(request->job_id());
  if (!manifests.ok()) return Answer(core_, manifests.status());
  std::reverse(manifests->begin(), manifests->end());
  int64_t bytes = 0;
  for (CheckpointManifest& manifest : *manifests) {
    bytes += static_cast<int64_t>(manifest.ByteSizeLong()) + 16;
    if (reply->manifests_size() > 0 && bytes > limits::kMessageBytes - limits::kChunkBytes) break;
    *reply->add_manifests() = std::move(manifest);
  }
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::DrainWorker(grpc::ServerContext*, const DrainWorkerRequest* request, DrainWorkerReply* reply) {
  return Answer(core_, core_->DrainWorker(*request), reply);
}

}  // namespace mimeo
