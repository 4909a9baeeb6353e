#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/teacher_frames.h"
#include "proto/teacher.grpc.pb.h"
#include "worker/backoff.h"
#include "worker/feature_source.h"
#include "worker/teacher_stream.h"

namespace mimeo {
namespace {

// A teacher that has not answered for so long is waited for, and the rank says so.
constexpr absl::Duration kPatience = absl::Milliseconds(500);
// Of one Describe: then the address is asked for again, since a teacher may come back elsewhere.
constexpr absl::Duration kDescribePatience = absl::Seconds(2);

std::string ContractText(const TeacherContract& contract) {
  return absl::StrCat("{name ", contract.name(), ", weights ", contract.weights_digest(), " (", contract.family(),
                      "), image_px ", contract.image_px(), ", patch_px ", contract.patch_px(), ", feature_width ",
                      contract.feature_width(), ", mean ", absl::StrJoin(contract.mean(), "/"), ", std ",
                      absl::StrJoin(contract.std(), "/"), "}");
}

// Whether features of the one may stand in for the other's. Limits of serving may change.
bool SameFeatures(const TeacherContract& a, const TeacherContract& b) {
  return a.name() == b.name() && a.weights_digest() == b.weights_digest() && a.family() == b.family() &&
         a.image_px() == b.image_px() && a.patch_px() == b.patch_px() && a.feature_width() == b.feature_width() &&
         a.feature_type() == b.feature_type() &&
         std::equal(a.mean().begin(), a.mean().end(), b.mean().begin(), b.mean().end()) &&
         std::equal(a.std().begin(), a.std().end(), b.std().begin(), b.std().end());
}

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

void Pause(absl::Duration duration, absl::Time deadline) {
  absl::Mutex mu;
  absl::MutexLock lock(&mu);
  const bool never = false;
  Clock::Real()->Await(&mu, absl::Condition(&never), std::min(deadline, Clock::Real()->Now() + duration));
}

// What a view asks for and gets, in memory that a stream can read and write.
struct ViewTensors {
  at::Tensor given_images_BCHW;  // as the caller has them: they tell batches apart
  at::Tensor given_visible_BK;
  at::Tensor images_BCHW;   // uint8
  at::Tensor index_BK;      // int32
  at::Tensor features_BKT;  // float32
};

// The batch whose features are under way.
struct PendingBatch {
  std::vector<ViewTensors> views;
  std::vector<TeacherStream::Slice> slices;  // of the open exchange; empty: there is none
  int64_t num_done = 0;                      // images that were answered, over all views in turn

  bool IsOf(const Batch& batch, const std::vector<ViewInput>& inputs) const {
    if (views.size() != batch.views_BCHW.size() || views.size() != inputs.size()) return false;
    for (size_t v = 0; v < views.size(); ++v) {
      if (!views[v].given_images_BCHW.is_same(batch.views_BCHW[v])) return false;
      if (!views[v].given_visible_BK.is_same(inputs[v].plan.visible_BK)) return false;
    }
    return true;
  }
};

absl::string_view Rows(const at::Tensor& tensor, int64_t first, int64_t count) {
  const int64_t row_bytes = static_cast<int64_t>(tensor.nbytes()) / tensor.size(0);
  return {static_cast<const char*>(tensor.const_data_ptr()) + first * row_bytes,
          static_cast<size_t>(count * row_bytes)};
}

// The images after the first `num_done` (over all views in turn) in requests of nearly equal size, at most
// `max_images`.
std::vector<TeacherStream::Slice> Cut(const std::vector<ViewTensors>& views, int64_t num_done, int64_t max_images) {
  std::vector<TeacherStream::Slice> slices;
  for (const ViewTensors& view : views) {
    const int64_t num_images = view.images_BCHW.size(0);
    int64_t first = std::min(num_done, num_images);
    num_done -= first;
    const int64_t num_slices = (num_images - first + max_images - 1) / max_images;
    for (int64_t left = num_slices; left > 0; --left) {
      const int64_t count = (num_images - first) / left;
      const absl::string_view features = Rows(view.features_BKT, first, count);
      slices.push_back({static_cast<int>(count), static_cast<int>(view.index_BK.size(1)),
                        Rows(view.images_BCHW, first, count), Rows(view.index_BK, first, count),
                        const_cast<char*>(features.data()), static_cast<int64_t>(features.size())});
      first += count;
    }
  }
  return slices;
}

class TeacherClient : public FeatureSource {
 public:
  explicit TeacherClient(const TeacherClientOptions& options) : options_(options) {}

  // Until the teacher has described itself, and fits.
  absl::Status Reach(absl::Time deadline);
  void Waiting(bool waiting);

  absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) override;
  const std::string& name() const override { return options_.name; }
  int width() const override { return geometry_.feature_width; }

 private:
  absl::StatusOr<TeacherContract> Describe(const std::string& address, absl::Time deadline);
  absl::Status Accept(const TeacherContract& contract);
  absl::StatusOr<std::unique_ptr<PendingBatch>> Prepare(const Batch& batch, const std::vector<ViewInput>& views) const;
  // Asks for what is missing, unless that is under way. False: it still is at `deadline`.
  absl::StatusOr<bool> Exchange(absl::Time deadline);
  absl::Status TooLate(const absl::Status& last) const;

  const TeacherClientOptions options_;
  bool known_ = false;  // whether contract_ and geometry_ are set
  TeacherContract contract_;
  FeatureGeometry geometry_;
  std::optional<bool> waiting_;  // what on_waiting was last told; an earlier client may have left it true
  Backoff backoff_;
  std::string address_;  // the newest that was tried
  // In this order: the stream ends before the stub, and before the memory that it fills.
  std::unique_ptr<PendingBatch> pending_;
  std::unique_ptr<Teacher::Stub> stub_;
  std::unique_ptr<TeacherStream> stream_;
};

void TeacherClient::Waiting(bool waiting) {
  if (waiting == waiting_) return;
  waiting_ = waiting;
  if (options_.on_waiting) options_.on_waiting(waiting);
}

absl::Status TeacherClient::TooLate(const absl::Status& last) const {
  return absl::DeadlineExceededError(absl::StrCat("teacher ", options_.name, " at ",
                                                  address_.empty() ? "no known address" : address_,
                                                  " did not answer in time: ", last.message()));
}

absl::Status TeacherClient::Reach(absl::Time deadline) {
  while (true) {
    const std::string address = options_.address();
    absl::Status status = absl::UnavailableError("its address is not known");
    if (!address.empty()) {
      const absl::StatusOr<TeacherContract> contract = Describe(address, deadline);
      if (contract.ok()) {
        const absl::Status accepted = Accept(*contract);
        if (!accepted.ok()) stub_.reset();
        return accepted;
      }
      status = contract.status();
    }
    if (IsFinal(status)) return status;
    Waiting(true);
    if (Clock::Real()->Now() >= deadline) return TooLate(status);
    Pause(backoff_.Next(), deadline);
  }
}

absl::StatusOr<TeacherContract> TeacherClient::Describe(const std::string& address, absl::Time deadline) {
  address_ = address;
  stream_.reset();
  stub_ = Teacher::NewStub(OpenChannel(address));  // a new channel: an old one may be in its reconnect backoff
  grpc::ClientContext context;
  SetDeadline(&context, std::min(kDescribePatience, deadline - Clock::Real()->Now()));
  TeacherContract contract;
  RETURN_IF_ERROR(FromGrpc(stub_->Describe(&context, DescribeRequest(), &contract)));
  return contract;
}

absl::Status TeacherClient::Accept(const TeacherContract& contract) {
  ASSIGN_OR_RETURN(const FeatureGeometry geometry, GeometryOf(contract));
  if (contract.name() != options_.name || contract.image_px() != options_.image_px ||
      contract.patch_px() != options_.patch_px) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the teacher at ", address_, " does not fit the job: the job needs {name ", options_.name, ", image_px ",
        options_.image_px, ", patch_px ", options_.patch_px, "}, the teacher is ", ContractText(contract)));
  }
  if (known_ && !SameFeatures(contract, contract_)) {
    return absl::FailedPreconditionError(absl::StrCat("teacher ", options_.name, " at ", address_,
                                                      " is another one now: it was ", ContractText(contract_),
                                                      ", it is ", ContractText(contract)));
  }
  contract_ = contract;
  geometry_ = geometry;
  known_ = true;
  spdlog::info("teacher reached name={} address={} digest={}", options_.name, address_, contract.weights_digest());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PendingBatch>> TeacherClient::Prepare(const Batch& batch,
                                                                     const std::vector<ViewInput>& views) const {
  if (batch.views_BCHW.size() != views.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch has ", batch.views_BCHW.size(), " views, ", views.size(), " mask plans came with it"));
  }
  auto pending = std::make_unique<PendingBatch>();
  for (size_t v = 0; v < views.size(); ++v) {
    const at::Tensor& images = batch.views_BCHW[v];
    const at::Tensor& index = views[v].plan.visible_BK;
    const bool fits = images.dim() == 4 && images.size(0) >= 1 && images.size(1) == 3 &&
                      images.size(2) == options_.image_px && images.size(3) == options_.image_px &&
                      images.scalar_type() == at::kByte && index.dim() == 2 && index.size(0) == images.size(0) &&
                      index.size(1) >= 1;
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("view ", v, ": images of shape ", absl::StrJoin(images.sizes(), "x"),
                       " and visible patches of shape ", absl::StrJoin(index.sizes(), "x"),
                       ", the teacher takes uint8 Bx3x", options_.image_px, "x", options_.image_px, " and BxK"));
    }
    pending->views.push_back({images, index, images.contiguous(), index.to(at::kCPU, at::kInt).contiguous(),
                              at::empty({index.size(0), index.size(1), geometry_.feature_width}, at::kFloat)});
  }
  return pending;
}

absl::StatusOr<bool> TeacherClient::Exchange(absl::Time deadline) {
  if (stream_ == nullptr) stream_ = std::make_unique<TeacherStream>(stub_.get());
  if (pending_->slices.empty()) {
    pending_->slices = Cut(pending_->views, pending_->num_done, geometry_.max_images);
    stream_->Begin(pending_->slices);
  }
  if (!stream_->Wait(std::min(deadline, Clock::Real()->Now() + kPatience))) {
    Waiting(true);
    if (!stream_->Wait(deadline)) return false;
  }
  const TeacherStream::Outcome outcome = stream_->End();
  for (size_t i = 0; i < outcome.num_answered; ++i) pending_->num_done += pending_->slices[i].num_images;
  pending_->slices.clear();
  RETURN_IF_ERROR(outcome.status);
  return true;
}

absl::Status TeacherClient::Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) {
  if (pending_ == nullptr || !pending_->IsOf(batch, *views)) {
    if (pending_ != nullptr && !pending_->slices.empty()) stream_.reset();  // nobody wants that answer any more
    pending_.reset();
    ASSIGN_OR_RETURN(pending_, Prepare(batch, *views));
  }
  while (true) {
    if (stub_ == nullptr) RETURN_IF_ERROR(Reach(deadline));
    const absl::StatusOr<bool> answered = Exchange(deadline);
    if (answered.ok() && *answered) break;
    if (answered.ok()) return TooLate(absl::DeadlineExceededError("it is still at work"));
    stream_.reset();
    stub_.reset();  // Reach asks again who is there
    if (IsFinal(answered.status())) return answered.status();
    Waiting(true);
    spdlog::warn("teacher lost name={} address={} reason=\"{}\"", options_.name, address_,
                 answered.status().ToString());
    if (Clock::Real()->Now() >= deadline) return TooLate(answered.status());
    Pause(backoff_.Next(), deadline);
  }
  backoff_.Reset();
  Waiting(false);
  const std::unique_ptr<PendingBatch> done = std::move(pending_);
  for (size_t v = 0; v < views->size(); ++v) {
    ViewInput& view = (*views)[v];
    view.teacher_BKT[options_.name] = done->views[v].features_BKT.to(view.plan.visible_BK.device());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options,
                                                              absl::Time deadline) {
  auto client = std::make_unique<TeacherClient>(options);
  RETURN_IF_ERROR(client->Reach(deadline));
  client->Waiting(false);
  return client;
}

}  // namespace mimeo
