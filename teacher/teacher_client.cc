#include "teacher/teacher_client.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "base/wait.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher/teacher_batch.h"
#include "teacher/teacher_frames.h"
#include "teacher/teacher_stream.h"

namespace mimeo {
namespace {

// A teacher that has not answered for so long is waited for, and the rank says so.
constexpr absl::Duration kPatience = absl::Milliseconds(500);
// Of one Describe: then the address is asked for again, since a teacher may come back elsewhere.
constexpr absl::Duration kDescribePatience = absl::Seconds(2);

// A contract is a few hundred bytes; it goes on to the coordinator.
constexpr size_t kContractBytes = 4096;

// Errors that another try cannot mend: one side's mistake, not its absence.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

std::string Text(bool has) { return has ? "yes" : "no"; }

std::string ContractText(const TeacherContract& contract) {
  return absl::StrCat("{name ", ToText(contract.name(), limits::kShortReasonBytes), ", weights ",
                      ToText(contract.weights_digest(), limits::kShortReasonBytes), " (",
                      ToText(contract.family(), limits::kShortReasonBytes), "), images ", contract.channels(), "x",
                      contract.image_height_px(), "x", contract.image_width_px(), ", patch_px ", contract.patch_px(),
                      ", feature_width ", contract.feature_width(), ", projected_width ", contract.projected_width(),
                      ", blocks ", contract.num_blocks(), " of width ", contract.block_width(), ", class token ",
                      Text(contract.has_class_token()), ", ", Precision_Name(contract.precision()), ", mean ",
                      absl::StrJoin(contract.mean(), "/"), ", std ", absl::StrJoin(contract.std(), "/"), "}");
}

std::string NeedsText(const TeacherRequest& request) {
  const FeatureWish& wish = request.wish;
  return absl::StrCat("{name ", request.teacher, ", images ", request.image.channels, "x", request.image.height_px, "x",
                      request.image.width_px, ", grid ", wish.rows(), "x", wish.cols(), ", layer ", wish.layer(),
                      ", projected ", Text(wish.projected()), ", class token ", Text(wish.class_token()),
                      ", draws masks ", Text(request.draws_masks()), "}");
}

// Why a teacher cannot do what is wanted; OK: it can.
absl::Status Fits(const TeacherContract& contract, const FeatureGeometry& geometry, const TeacherRequest& request) {
  if (contract.name() != request.teacher) return absl::InvalidArgumentError("it has another name");
  if (contract.ByteSizeLong() > kContractBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("its contract has ", contract.ByteSizeLong(), " bytes, more than ", kContractBytes));
  }
  for (const std::string& text : {contract.weights_digest(), contract.family()}) {
    if (ToText(text) != text) return absl::InvalidArgumentError("its contract has control characters");
  }
  return SizeOf(HeaderOf(request), geometry).status();
}

class TeacherClient : public FeatureSource {
 public:
  explicit TeacherClient(const TeacherClientOptions& options) : options_(options) {}

  // Until the teacher has described itself, and fits.
  absl::Status Reach(absl::Time deadline);
  void TellWaiting(bool waiting);

  absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) override;
  const TeacherRequest& request() const override { return options_.request; }
  int width() const override { return FeatureWidth(options_.request.wish, geometry_); }

 private:
  // Asks who is there. Only who may serve this job becomes stub_.
  absl::Status Meet(const std::string& address, absl::Time deadline);
  absl::StatusOr<FeatureGeometry> Accept(const TeacherContract& contract);
  absl::Status AtAddress(const absl::Status& status) const;  // says where
  // Asks for what is missing, unless that is under way. False: it still is at `deadline`.
  absl::StatusOr<bool> Exchange(absl::Time deadline);
  absl::Status TooLate(const absl::Status& last) const;

  const TeacherClientOptions options_;
  TeacherContract contract_;  // of whom stub_ reaches, or did last; likewise the next two
  FeatureGeometry geometry_;
  std::string instance_;
  std::optional<bool> waiting_;  // what on_waiting was last told; an earlier client may have left it true
  Backoff backoff_;
  std::string address_;  // the newest that was tried
  // In this order: the stream ends before the stub, and before the memory that it fills.
  std::unique_ptr<TeacherBatch> pending_;
  std::vector<TeacherStream::Slice> asked_;  // of pending_, in the open exchange
  bool exchange_open_ = false;
  std::unique_ptr<Teacher::Stub> stub_;  // null until somebody is met
  std::unique_ptr<TeacherStream> stream_;
};

void TeacherClient::TellWaiting(bool waiting) {
  if (waiting == waiting_) return;
  waiting_ = waiting;
  if (options_.on_waiting) options_.on_waiting(waiting);
}

absl::Status TeacherClient::TooLate(const absl::Status& last) const {
  return absl::DeadlineExceededError(absl::StrCat("teacher ", options_.request.teacher, " at ",
                                                  address_.empty() ? "no known address" : address_,
                                                  " did not answer in time: ", last.message()));
}

absl::Status TeacherClient::Reach(absl::Time deadline) {
  while (true) {
    const std::string address = options_.address();
    absl::Status status = absl::UnavailableError("its address is not known");
    if (!address.empty()) {
      status = Meet(address, deadline);
      if (status.ok()) return status;
    }
    if (IsFinal(status)) return status;
    TellWaiting(true);
    if (Clock::Real()->Now() >= deadline) return TooLate(status);
    WaitUntil(std::min(deadline, Clock::Real()->Now() + backoff_.Next()));
  }
}

absl::Status TeacherClient::Meet(const std::string& address, absl::Time deadline) {
  address_ = address;
  // A new channel: an old one may be in its reconnect backoff.
  std::unique_ptr<Teacher::Stub> stub = Teacher::NewStub(OpenChannel(options_.channels, address));
  grpc::ClientContext context;
  SetDeadline(&context, std::min(kDescribePatience, deadline - Clock::Real()->Now()));
  TeacherContract contract;
  RETURN_IF_ERROR(FromGrpc(stub->Describe(&context, DescribeRequest(), &contract)));
  contract.DiscardUnknownFields();
  ASSIGN_OR_RETURN(geometry_, Accept(contract));
  const auto instance = context.GetServerInitialMetadata().find(kTeacherInstanceKey);
  instance_ = instance == context.GetServerInitialMetadata().end()
                  ? ""
                  : std::string(instance->second.data(), instance->second.size());
  contract_ = std::move(contract);
  stub_ = std::move(stub);
  spdlog::info("teacher reached name={} address={} digest={}", options_.request.teacher, address_,
               contract_.weights_digest());
  return absl::OkStatus();
}

absl::StatusOr<FeatureGeometry> TeacherClient::Accept(const TeacherContract& contract) {
  RETURN_IF_ERROR(AtAddress(options_.pins->Check(contract)));
  ASSIGN_OR_RETURN(const FeatureGeometry geometry, GeometryOf(contract));
  const absl::Status fits = Fits(contract, geometry, options_.request);
  if (!fits.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the teacher at ", address_, " does not fit the job: ", fits.message(), "; the job needs ",
                     NeedsText(options_.request), ", the teacher is ", ContractText(contract)));
  }
  RETURN_IF_ERROR(AtAddress(options_.pins->Take(contract)));  // only now: the job never pins one that it cannot use
  return geometry;
}

absl::Status TeacherClient::AtAddress(const absl::Status& status) const {
  return status.ok() ? status
                     : absl::Status(status.code(), absl::StrCat(status.message(), " (it is at ", address_, ")"));
}

absl::StatusOr<bool> TeacherClient::Exchange(absl::Time deadline) {
  if (stream_ == nullptr) stream_ = std::make_unique<TeacherStream>(stub_.get(), instance_);
  if (!exchange_open_) {
    ASSIGN_OR_RETURN(asked_, pending_->Cut(geometry_));
    stream_->Begin(asked_);
    exchange_open_ = true;
  }
  if (!stream_->Wait(std::min(deadline, Clock::Real()->Now() + kPatience))) {
    TellWaiting(true);
    if (!stream_->Wait(deadline)) return false;
  }
  const TeacherStream::Outcome outcome = stream_->End();
  for (size_t i = 0; i < outcome.num_answered; ++i) pending_->Answered(asked_[i].header.num_images());
  exchange_open_ = false;
  RETURN_IF_ERROR(outcome.status);
  return true;
}

absl::Status TeacherClient::Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) {
  if (pending_ == nullptr || !pending_->IsOf(batch, *views)) {
    if (exchange_open_) stream_.reset();  // nobody wants that answer any more
    exchange_open_ = false;
    pending_.reset();
    ASSIGN_OR_RETURN(pending_, TeacherBatch::Create(options_.request, options_.mask_key, geometry_, batch, *views));
  }
  while (true) {
    if (stub_ == nullptr) RETURN_IF_ERROR(Reach(deadline));
    const absl::StatusOr<bool> answered = Exchange(deadline);
    if (answered.ok() && *answered) break;
    if (answered.ok()) return TooLate(absl::DeadlineExceededError("it is still at work"));
    stream_.reset();
    stub_.reset();  // Reach asks again who is there
    if (IsFinal(answered.status())) return answered.status();
    TellWaiting(true);
    spdlog::warn("teacher lost name={} address={} reason=\"{}\"", options_.request.teacher, address_,
                 answered.status().ToString());
    if (Clock::Real()->Now() >= deadline) return TooLate(answered.status());
    WaitUntil(std::min(deadline, Clock::Real()->Now() + backoff_.Next()));
  }
  RETURN_IF_ERROR(
      AtAddress(options_.pins->Check(contract_)));  // the job may have pinned another rank's teacher meanwhile
  backoff_.Reset();
  TellWaiting(false);
  const std::unique_ptr<TeacherBatch> done = std::move(pending_);
  return done->HandOut(views);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options,
                                                              absl::Time deadline) {
  auto client = std::make_unique<TeacherClient>(options);
  RETURN_IF_ERROR(client->Reach(deadline));
  client->TellWaiting(false);
  return client;
}

}  // namespace mimeo
