#include "client/follow.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/wait.h"
#include "client/evaluation_summary.h"
#include "job/data_text.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

constexpr absl::Duration kFollowPeriod = absl::Milliseconds(300);
constexpr absl::Duration kCall = absl::Seconds(20);

bool IsOver(const Job& job) {
  return job.state() == JOB_STATE_SUCCEEDED || job.state() == JOB_STATE_FAILED || job.state() == JOB_STATE_CANCELLED ||
         job.state() == JOB_STATE_PAUSED;
}

bool IsAway(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status); }

class Follower {
 public:
  Follower(const std::shared_ptr<grpc::Channel>& channel, std::string job_id, JobBar* bar, const FollowOptions& options)
      : stub_(Coordinator::NewStub(channel)), job_id_(std::move(job_id)), bar_(bar), options_(options) {}

  absl::StatusOr<Followed> Run() {
    absl::Time heard = absl::InfinitePast();
    while (true) {
      const absl::Status status = Look();
      if (status.ok()) {
        heard = Clock::Real()->Now();
        if (IsOver(job_)) return Result();
      } else if (!IsAway(status) || Clock::Real()->Now() - heard > options_.patience) {
        return status;
      } else {
        bar_->ShowAway(Clock::Real()->Now() - heard, options_.patience);
      }
      RETURN_IF_ERROR(options_.check());
      if (!asked_to_pause_ && options_.interrupted()) asked_to_pause_ = Pause().ok();
      WaitFor(kFollowPeriod);
    }
  }

 private:
  // The job first, then its numbers: when it is over, they are all there.
  absl::Status Look() {
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    GetJobRequest request;
    request.set_job_id(job_id_);
    Job job;
    RETURN_IF_ERROR(FromGrpc(stub_->GetJob(&context, request, &job)));
    options_.reword(&job);
    RETURN_IF_ERROR(ReadMetrics(StartOf(job.spec())));
    if (job.generation() > 1 && job.generation() != job_.generation() && job_.generation() > 0) {
      bar_->Say(absl::StrCat("generation ", job.generation(), ": ", job.reason()));
    }
    job_ = job;
    SayData(/*over=*/IsOver(job));
    bar_->Show(job_, steps_.empty() ? nullptr : &steps_.rbegin()->second);
    return absl::OkStatus();
  }

  // Each reason is said once, when it is first heard of; a count that has grown since is said again at the end.
  void SayData(bool over) {
    for (const DataContents& data : job_.data()) {
      for (const PassedOver& row : data.passed_over()) {
        const auto [said, is_new] = said_.emplace(data.field() + " " + row.reason(), row.count());
        if (!is_new && (!over || said->second == row.count())) continue;
        said->second = row.count();
        bar_->Say(PassedOverLine(data.field(), row));
      }
      for (const std::string& note : data.notes()) {
        if (said_.emplace(note, 0).second) bar_->Say(note);
      }
    }
  }

  // Whether these numbers of a step were not handed on yet, or a later generation has made them again.
  template <typename Numbers>
  static bool IsNews(const Numbers& numbers, std::map<int64_t, int64_t>* generations) {
    const auto [at, is_new] = generations->emplace(numbers.step(), numbers.generation());
    return is_new || std::exchange(at->second, numbers.generation()) != numbers.generation();
  }

  absl::Status ReadMetrics(StartKind start) {
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    MetricsRequest request;
    request.set_job_id(job_id_);
    // Steps that a later generation does again are asked for again.
    request.set_after_step(steps_.empty() ? 0 : std::min(steps_.rbegin()->first, job_.step()));
    const auto stream = stub_->Metrics(&context, request);
    MetricsReply reply;
    const int64_t newest_told = told_steps_.empty() ? 0 : told_steps_.rbegin()->first;
    bool again = false;
    while (stream->Read(&reply)) {
      std::vector<StepMetrics> steps;
      for (const StepMetrics& step : reply.steps()) {
        steps_[step.step()] = step;
        const bool is_new = IsNews(step, &told_steps_);
        again = again || (is_new && step.step() <= newest_told);  // then the ones behind it too, so that they stay last
        if (is_new || again) steps.push_back(step);
      }
      std::vector<EvaluationResult> evaluations;
      for (const EvaluationResult& evaluation : reply.evaluations()) {
        const auto [known, is_new] = evaluations_.insert_or_assign(evaluation.step(), evaluation);
        if (IsNews(evaluation, &told_evaluations_)) evaluations.push_back(evaluation);
        if (is_new) bar_->Say(EvaluationLine(evaluation, start));
      }
      if (!steps.empty() || !evaluations.empty()) options_.numbers(steps, evaluations);
    }
    return FromGrpc(stream->Finish());
  }

  absl::Status Pause() {
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    ControlJobRequest request;
    request.set_job_id(job_id_);
    request.set_want(WANT_PAUSE);
    Job job;
    return FromGrpc(stub_->ControlJob(&context, request, &job));
  }

  absl::StatusOr<Followed> Result() {
    // All of them once more: what was replaced since it was read is now as it stays.
    steps_.clear();
    RETURN_IF_ERROR(ReadMetrics(StartOf(job_.spec())));
    Followed followed;
    followed.job = job_;
    for (auto& [number, step] : steps_) followed.steps.push_back(std::move(step));
    for (auto& [number, evaluation] : evaluations_) followed.evaluations.push_back(std::move(evaluation));
    return followed;
  }

  const std::unique_ptr<Coordinator::Stub> stub_;
  const std::string job_id_;
  JobBar* const bar_;
  const FollowOptions& options_;
  bool asked_to_pause_ = false;
  Job job_;
  std::map<std::string, int64_t> said_;  // what the data leave out: counts by field and reason, and notes
  std::map<int64_t, StepMetrics> steps_;
  std::map<int64_t, EvaluationResult> evaluations_;
  std::map<int64_t, int64_t> told_steps_, told_evaluations_;  // the generation whose numbers were handed on, by step
};

}  // namespace

absl::StatusOr<Followed> FollowJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                   JobBar* bar, const FollowOptions& options) {
  return Follower(channel, job_id, bar, options).Run();
}

}  // namespace mimeo
