#include "teacher_server/feature_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/rpc/rpc.h"

namespace mimeo {

std::shared_ptr<FeatureStream> FeatureStream::Start(const Shared& shared, uint64_t id,
                                                    grpc::CallbackServerContext* context, std::function<void()> ended) {
  std::shared_ptr<FeatureStream> stream(new FeatureStream(shared, id, context, std::move(ended)));
  absl::MutexLock lock(&stream->mu_);
  stream->self_ = stream;
  stream->ReadNext();
  return stream;
}

FeatureStream::FeatureStream(const Shared& shared, uint64_t id, grpc::CallbackServerContext* context,
                             std::function<void()> ended)
    : shared_(shared),
      id_(id),
      context_(context),
      ended_(std::move(ended)),
      assembler_(shared.geometry),
      last_progress_(shared.clock->Now()) {}

FeatureStream::~FeatureStream() = default;

void FeatureStream::End(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  // A status waits behind frames that a client does not read; cancelling does not.
  if (!finished_ && writing_.has_value()) context_->TryCancel();
  FinishOnce(status);
}

void FeatureStream::EndIfStalled(absl::Time since) {
  {
    absl::MutexLock lock(&mu_);
    const bool waits_for_client = assembler_.begun() || writing_.has_value();
    if (finished_ || !waits_for_client || last_progress_ > since) return;
  }
  End(absl::DeadlineExceededError("the client neither sent nor read for too long"));
}

void FeatureStream::ReadNext() {
  read_paused_ = !assembler_.begun() && in_flight_.size() >= static_cast<size_t>(shared_.max_requests_in_flight);
  if (!finished_ && !read_paused_) StartRead(&request_frame_);
}

void FeatureStream::OnReadDone(bool ok) {
  Admission::Cost cost;
  std::shared_ptr<FeatureStream> self;
  {
    absl::MutexLock lock(&mu_);
    last_progress_ = shared_.clock->Now();
    if (finished_) return;
    if (!ok) {
      reading_ended_ = true;
      if (assembler_.begun()) {
        FinishOnce(absl::InvalidArgumentError("the stream ended inside a request"));
      } else if (in_flight_.empty()) {
        FinishOnce(absl::OkStatus());
      }
      return;
    }
    // What is wrong with a header is the assembler's to say.
    const auto size = SizeOf(request_frame_.header(), shared_.geometry);
    if (assembler_.begun() || !request_frame_.has_header() || !size.ok()) return TakeFrame();
    cost = {request_frame_.header().num_images(), size->total()};
    self = self_;
  }
  shared_.admission->Acquire(cost,
                             [self](absl::StatusOr<Admission::Lease> lease) { self->OnAdmitted(std::move(lease)); });
}

void FeatureStream::OnAdmitted(absl::StatusOr<Admission::Lease> lease) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  if (!lease.ok()) return FinishOnce(lease.status());
  last_progress_ = shared_.clock->Now();
  next_lease_ = *std::move(lease);
  TakeFrame();
}

void FeatureStream::TakeFrame() {
  const absl::StatusOr<bool> whole = assembler_.Add(request_frame_);
  if (!whole.ok()) return FinishOnce(whole.status());
  if (*whole) {
    FeatureTask task = assembler_.Take();
    in_flight_.push_back({task.request_id, std::exchange(next_lease_, Admission::Lease()), ""});
    const absl::Status submitted = shared_.batcher->Submit(
        id_, std::move(task),
        [self = self_](absl::StatusOr<std::string> answer) { self->OnAnswer(std::move(answer)); });
    if (!submitted.ok()) return FinishOnce(submitted);
  }
  ReadNext();
}

void FeatureStream::OnAnswer(absl::StatusOr<std::string> answer) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  if (!answer.ok()) return FinishOnce(answer.status());
  in_flight_[num_answered_++].answer = *std::move(answer);
  WriteNext();
}

void FeatureStream::WriteNext() {
  if (finished_ || writing_.has_value() || num_answered_ == 0) return;
  last_progress_ = shared_.clock->Now();
  writing_.emplace(in_flight_.front().request_id, shared_.geometry.feature_type, in_flight_.front().answer);
  writing_->Next(&reply_frame_);
  StartWrite(&reply_frame_);
}

void FeatureStream::OnWriteDone(bool ok) {
  InFlight answered;  // destroyed after the lock is released: it may let other streams' requests in
  absl::MutexLock lock(&mu_);
  last_progress_ = shared_.clock->Now();
  if (finished_) return;
  if (!ok) return FinishOnce(absl::CancelledError("the client is gone"));
  if (writing_->Next(&reply_frame_)) return StartWrite(&reply_frame_);
  answered = std::move(in_flight_.front());
  in_flight_.pop_front();
  --num_answered_;
  writing_.reset();
  shared_.metrics->Add("mimeo_teacher_requests_total");
  shared_.metrics->Add("mimeo_teacher_sent_bytes_total", answered.answer.size());
  if (read_paused_) ReadNext();
  WriteNext();
  if (reading_ended_ && in_flight_.empty()) FinishOnce(absl::OkStatus());
}

void FeatureStream::OnCancel() {
  absl::MutexLock lock(&mu_);
  FinishOnce(absl::CancelledError("the client is gone"));
}

void FeatureStream::FinishOnce(const absl::Status& status) {
  if (finished_) return;
  finished_ = true;
  if (!status.ok() && status.code() != absl::StatusCode::kCancelled) shared_.metrics->Add("mimeo_teacher_errors_total");
  Finish(ToGrpc(status));
}

void FeatureStream::OnDone() {
  ended_();
  std::shared_ptr<FeatureStream> self;  // may be the last reference: released after the lock
  absl::MutexLock lock(&mu_);
  self = std::move(self_);
}

}  // namespace mimeo
