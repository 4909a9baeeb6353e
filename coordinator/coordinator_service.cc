#include "coordinator/coordinator_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/log_limits.h"
#include "base/status_macros.h"
#include "base/text.h"
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
      for (const StepMetrics& step : steps) {
        RETURN_IF_ERROR(MakeRoom(step));
        *reply_.add_steps() = step;
        after_step_ = step.step();
      }
    }
    // From the beginning each time: a later generation may evaluate an earlier step again.
    for (int64_t after = -1;;) {
      ASSIGN_OR_RETURN(const std::vector<EvaluationResult> evaluations,
                       store_.Evaluations(job_id_, after, limits::kStepsPerReport));
      if (evaluations.empty()) break;
      for (const EvaluationResult& evaluation : evaluations) {
        after = evaluation.step();
        if (!evaluations_sent_.emplace(evaluation.step(), evaluation.generation()).second) continue;
        RETURN_IF_ERROR(MakeRoom(evaluation));
        *reply_.add_evaluations() = evaluation;
      }
    }
    return Send();
  }

 private:
  // For one more record in the reply: sends it when it is full.
  template <typename Record>
  absl::Status MakeRoom(const Record& record) {
    constexpr int64_t kKeyBytes = 8;  // before the record
    const int64_t bytes = static_cast<int64_t>(record.ByteSizeLong()) + kKeyBytes;
    const int records = reply_.steps_size() + reply_.evaluations_size();
    if (records == limits::kStepsPerReport || bytes_ + bytes > limits::kPageBytes) RETURN_IF_ERROR(Send());
    bytes_ += bytes;
    return absl::OkStatus();
  }

  absl::Status Send() {
    const bool empty = reply_.steps_size() + reply_.evaluations_size() == 0;
    if (!empty && !writer_->Write(reply_)) return absl::CancelledError("the client left");
    reply_.Clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  const MetricStore& store_;
  const std::string job_id_;
  int64_t after_step_;
  grpc::ServerWriter<MetricsReply>* const writer_;
  MetricsReply reply_;
  int64_t bytes_ = 0;                                       // of it
  std::set<std::pair<int64_t, int64_t>> evaluations_sent_;  // step, generation
};

// The end of a rank's log and, with follow, what is added to it until its generation has ended.
absl::Status WriteLog(CoordinatorCore* core, grpc::ServerContext* context, const LogsRequest& request,
                      grpc::ServerWriter<LogsReply>* writer) {
  ASSIGN_OR_RETURN(CoordinatorCore::RankPlace place,
                   core->FindRank(request.job_id(), request.generation(), request.rank()));
  LogWish wish;
  wish.set_job_id(request.job_id());
  wish.set_generation(place.generation);
  wish.set_rank(request.rank());
  wish.set_lines(std::max(0, request.lines()));
  wish.set_offset(-1);
  const auto is_there = [&] {
    return context->IsCancelled() ? absl::CancelledError("the client left") : absl::OkStatus();
  };
  while (true) {
    // Before its log: of a generation that has ended nothing is missed then.
    ASSIGN_OR_RETURN(place, core->FindRank(request.job_id(), place.generation, request.rank()));
    absl::StatusOr<LogPiece> piece = core->AskForLog(place.worker_id, wish, is_there);
    // A rank that is about to start has no file yet.
    if (absl::IsNotFound(piece.status()) && request.follow() && place.runs) continue;
    RETURN_IF_ERROR(piece.status());
    LogsReply reply;
    reply.set_worker_id(place.worker_id);
    reply.set_generation(place.generation);
    reply.set_text(ToLines(piece->text(), limits::kLogTextBytes + 8));
    reply.set_cut(piece->cut());
    const bool says = !piece->text().empty() || wish.offset() < 0;
    if (says && !writer->Write(reply)) return absl::CancelledError("the client left");
    if (!request.follow() || (!place.runs && piece->text().empty())) return absl::OkStatus();
    wish.set_offset(piece->next_offset());
  }
}

// A reply may name each rank of a large gang: as much of it as fits, in whole reasons.
void CutReasons(ExplainReply* reply) {
  int64_t bytes = 0;
  for (int i = 0; i < reply->reasons_size(); ++i) {
    *reply->mutable_reasons(i) = ToLines(reply->reasons(i));
    bytes += static_cast<int64_t>(reply->reasons(i).size());
    if (i < limits::kPageItems && bytes <= limits::kPageBytes) continue;
    const int left_out = reply->reasons_size() - i;
    reply->mutable_reasons()->DeleteSubrange(i, left_out);
    reply->add_reasons(absl::StrCat("and ", left_out, " reasons more"));
    return;
  }
}

}  // namespace

grpc::Status CoordinatorService::Submit(grpc::ServerContext*, const SubmitRequest* request, SubmitReply* reply) {
  absl::StatusOr<std::string> job_id = core_->Submit(*request);
  if (job_id.ok()) reply->set_job_id(*job_id);
  return Answer(core_, job_id.status());
}

grpc::Status CoordinatorService::GetJob(grpc::ServerContext*, const GetJobRequest* request, Job* reply) {
  return Answer(core_, core_->GetJob(request->job_id()), reply);
}

grpc::Status CoordinatorService::ListJobs(grpc::ServerContext*, const ListJobsRequest* request, ListJobsReply* reply) {
  return Answer(core_, core_->ListJobs(*request), reply);
}

grpc::Status CoordinatorService::WatchJob(grpc::ServerContext* context, const GetJobRequest* request,
                                          grpc::ServerWriter<Job>* writer) {
  const StreamLimit::OpenStream stream(&watchers_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  int64_t seen = 0;
  while (true) {
    const absl::StatusOr<Job> job = AwaitChange(core_, context, request->job_id(), &seen);
    if (!job.ok()) return Answer(core_, job.status());
    if (!writer->Write(*job)) return Answer(core_, absl::CancelledError("the client left"));
    if (IsFinal(job->state())) return grpc::Status::OK;
  }
}

grpc::Status CoordinatorService::ControlJob(grpc::ServerContext*, const ControlJobRequest* request, Job* reply) {
  return Answer(core_, core_->Control(request->job_id(), request->want(), request->user()), reply);
}

grpc::Status CoordinatorService::ExtendJob(grpc::ServerContext*, const ExtendJobRequest* request, Job* reply) {
  return Answer(core_, core_->ExtendJob(*request), reply);
}

grpc::Status CoordinatorService::DeleteJob(grpc::ServerContext*, const DeleteJobRequest* request,
                                           DeleteJobReply* reply) {
  return Answer(core_, core_->DeleteJob(request->job_id()), reply);
}

grpc::Status CoordinatorService::Explain(grpc::ServerContext*, const GetJobRequest* request, ExplainReply* reply) {
  const grpc::Status answer = Answer(core_, core_->ExplainJob(request->job_id()), reply);
  CutReasons(reply);
  return answer;
}

grpc::Status CoordinatorService::Metrics(grpc::ServerContext* context, const MetricsRequest* request,
                                         grpc::ServerWriter<MetricsReply>* writer) {
  const StreamLimit::OpenStream stream(&watchers_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  MetricsTail tail(core_->step_metrics(), request->job_id(), request->after_step(), writer);
  int64_t seen = 0;
  while (true) {
    // The job first, then its numbers: those of a final job are complete.
    const absl::StatusOr<Job> job = AwaitChange(core_, context, request->job_id(), &seen);
    if (!job.ok()) return Answer(core_, job.status());
    const absl::Status written = tail.WriteNew();
    if (!written.ok()) return Answer(core_, written);
    if (request->follow() && !IsFinal(job->state())) continue;
    // Of a job that was deleted meanwhile not all may have been there to be written.
    return Answer(core_, core_->GetJob(request->job_id()).status());
  }
}

grpc::Status CoordinatorService::Events(grpc::ServerContext* context, const EventsRequest* request,
                                        grpc::ServerWriter<EventsReply>* writer) {
  const StreamLimit::OpenStream stream(&watchers_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  int64_t seen = 0, number = request->after_number();
  while (true) {
    // The job first, then its history: that of a final job is complete.
    const absl::StatusOr<Job> job = AwaitChange(core_, context, request->job_id(), &seen);
    if (!job.ok()) return Answer(core_, job.status());
    const absl::StatusOr<EventsReply> reply = core_->History(request->job_id(), number);
    if (!reply.ok()) return Answer(core_, reply.status());
    if (!reply->entries().empty()) number = reply->entries().rbegin()->number();
    const bool says = !reply->entries().empty() || !request->follow();
    if (says && !writer->Write(*reply)) return Answer(core_, absl::CancelledError("the client left"));
    if (!request->follow() || IsFinal(job->state())) return grpc::Status::OK;
  }
}

grpc::Status CoordinatorService::Logs(grpc::ServerContext* context, const LogsRequest* request,
                                      grpc::ServerWriter<LogsReply>* writer) {
  const StreamLimit::OpenStream stream(&watchers_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  return Answer(core_, WriteLog(core_, context, *request, writer));
}

grpc::Status CoordinatorService::ListWorkers(grpc::ServerContext*, const ListWorkersRequest* request,
                                             ListWorkersReply* reply) {
  return Answer(core_, core_->ListWorkers(*request), reply);
}

grpc::Status CoordinatorService::ListTeachers(grpc::ServerContext*, const ListTeachersRequest* request,
                                              ListTeachersReply* reply) {
  return Answer(core_, core_->ListTeachers(*request), reply);
}

grpc::Status CoordinatorService::ListCheckpoints(grpc::ServerContext*, const ListCheckpointsRequest* request,
                                                 ListCheckpointsReply* reply) {
  return Answer(core_, core_->ListCheckpoints(*request), reply);
}

grpc::Status CoordinatorService::DrainWorker(grpc::ServerContext*, const DrainWorkerRequest* request,
                                             DrainWorkerReply* reply) {
  return Answer(core_, core_->DrainWorker(*request), reply);
}

}  // namespace mimeo
