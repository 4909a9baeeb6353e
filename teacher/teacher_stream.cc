#include "teacher/teacher_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"

namespace mimeo {

namespace {

absl::Status AnotherAnswers() {
  return absl::UnavailableError("another server process answers at this address than the one that described itself");
}

}  // namespace

TeacherStream::TeacherStream(Teacher::Stub* stub, const std::string& instance) : instance_(instance) {
  stub->async()->StreamFeatures(&context_, this);
  AddHold();  // Begin writes from outside of gRPC's reactions; removed when reading ends
  StartRead(&reply_frame_);
  StartCall();
}

TeacherStream::~TeacherStream() {
  context_.TryCancel();
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&done_));
}

void TeacherStream::Begin(std::vector<Slice> slices) {
  absl::MutexLock lock(&mu_);
  slices_ = std::move(slices);
  first_id_ = next_id_;
  next_id_ += slices_.size();
  num_sent_ = 0;
  num_answered_ = 0;
  ExpectNext();
  WriteNext();
}

bool TeacherStream::Wait(absl::Time until) {
  absl::MutexLock lock(&mu_);
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return done_ || num_answered_ == slices_.size(); };
  return Clock::Real()->Await(&mu_, absl::Condition(&ended), until);
}

TeacherStream::Outcome TeacherStream::End() {
  absl::MutexLock lock(&mu_);
  Outcome outcome{num_answered_, absl::OkStatus()};
  if (num_answered_ < slices_.size()) {
    outcome.status = done_ ? status_ : absl::DeadlineExceededError("no answer in time");
    context_.TryCancel();
  }
  // Nothing of the caller's memory is touched after this.
  slices_.clear();
  num_sent_ = 0;
  num_answered_ = 0;
  sending_.reset();
  receiving_.reset();
  return outcome;
}

void TeacherStream::WriteNext() {
  if (writing_ || !reading_) return;  // without reading the call is at its end
  while (true) {
    if (!sending_.has_value()) {
      if (num_sent_ == slices_.size()) return;
      const Slice& slice = slices_[num_sent_];
      sending_.emplace(first_id_ + num_sent_, slice.header, slice.images, slice.choice);
      ++num_sent_;
    }
    if (sending_->Next(&request_frame_)) break;
    sending_.reset();
  }
  writing_ = true;
  StartWrite(&request_frame_);
}

void TeacherStream::ExpectNext() {
  receiving_.reset();
  if (num_answered_ == slices_.size()) return;
  const Slice& slice = slices_[num_answered_];
  receiving_.emplace(first_id_ + num_answered_, slice.type, slice.drawn, slice.features);
}

void TeacherStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (ok) WriteNext();
}

bool TeacherStream::TakeReply() {
  if (answers_ != instance_) {
    error_ = AnotherAnswers();
    return false;
  }
  if (!receiving_.has_value()) {
    error_ = absl::DataLossError(
        absl::StrCat("the teacher answered request ", reply_frame_.request_id(), ", for which nobody waits"));
    return false;
  }
  const absl::StatusOr<bool> whole = receiving_->Add(reply_frame_);
  if (!whole.ok()) {
    error_ = whole.status();
    return false;
  }
  if (*whole) {
    ++num_answered_;
    ExpectNext();
  }
  return true;
}

// A channel reconnects by itself, to whoever listens there by then.
void TeacherStream::OnReadInitialMetadataDone(bool ok) {
  absl::MutexLock lock(&mu_);
  answers_.emplace();
  if (ok) {
    const auto& metadata = context_.GetServerInitialMetadata();
    const auto found = metadata.find(kTeacherInstanceKey);
    if (found != metadata.end()) answers_->assign(found->second.data(), found->second.size());
  }
  if (!answers_->empty() && answers_ != instance_) {  // its error would be about itself
    error_ = AnotherAnswers();
    context_.TryCancel();
  }
  if (std::exchange(held_, false)) GoOnReading(true);
}

void TeacherStream::OnReadDone(bool ok) {
  absl::MutexLock lock(&mu_);
  held_ = ok && !answers_.has_value();
  if (!held_) GoOnReading(ok);
}

void TeacherStream::GoOnReading(bool ok) {
  if (ok && TakeReply()) return StartRead(&reply_frame_);
  if (ok) context_.TryCancel();
  reading_ = false;
  RemoveHold();
}

void TeacherStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mu_);
  done_ = true;
  status_ = error_.ok() ? FromGrpc(status) : error_;
  if (status_.ok()) status_ = absl::UnavailableError("the teacher ended the stream");
}

}  // namespace mimeo
