#include "teacher_server/teacher_service.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/rpc/rpc.h"
#include "teacher/teacher_frames.h"

namespace mimeo {
namespace {

// A stream that is refused at its start.
class RefusedStream : public grpc::ServerBidiReactor<FeatureRequest, FeatureReply> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// Process ids come again, and so do times where a clock is set back; not both at once.
std::string NewInstance() {
  static std::atomic<int> count{0};
  return absl::StrCat(getpid(), "-", absl::ToUnixNanos(Clock::Real()->Wall()), "-", ++count);
}

}  // namespace

TeacherService::TeacherService(const TeacherContract& contract, const Options& options, Batcher* batcher,
                               Metrics* metrics, Clock* clock)
    : contract_(contract),
      instance_(NewInstance()),
      options_(options),
      metrics_(metrics),
      admission_(options.capacity),
      shared_{GeometryOf(contract).value(), contract.max_requests_in_flight(), &admission_, batcher, metrics, clock} {}

void TeacherService::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  admission_.Close();
  for (const auto& stream : Streams()) stream->End(absl::UnavailableError("the teacher stops"));
}

void TeacherService::EndStalled(absl::Time since) {
  for (const auto& stream : Streams()) stream->EndIfStalled(since);
}

int TeacherService::num_streams() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int>(streams_.size());
}

grpc::ServerUnaryReactor* TeacherService::Describe(grpc::CallbackServerContext* context, const DescribeRequest* request,
                                                   TeacherContract* reply) {
  *reply = contract_;
  context->AddInitialMetadata(kTeacherInstanceKey, instance_);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerBidiReactor<FeatureRequest, FeatureReply>* TeacherService::StreamFeatures(
    grpc::CallbackServerContext* context) {
  absl::Status refused;
  uint64_t id = 0;
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) {
      refused = absl::UnavailableError("the teacher stops");
    } else if (streams_.size() >= static_cast<size_t>(options_.max_streams)) {
      refused = absl::ResourceExhaustedError(
          absl::StrCat("teacher ", contract_.name(), " serves ", streams_.size(), " streams, its limit"));
    } else {
      id = next_id_++;
      streams_[id];  // takes its place before it can end
      metrics_->Set("mimeo_teacher_streams", streams_.size());
    }
  }
  if (!refused.ok()) {
    spdlog::warn("stream refused peer={} reason=\"{}\"", context->peer(), std::string(refused.message()));
    metrics_->Add("mimeo_teacher_errors_total");
    return new RefusedStream(refused);
  }
  spdlog::info("stream opened id={} peer={}", id, context->peer());
  context->AddInitialMetadata(kTeacherInstanceKey, instance_);
  const std::shared_ptr<FeatureStream> stream = FeatureStream::Start(shared_, id, context, [this, id] { Forget(id); });
  bool stopped = false;
  {
    absl::MutexLock lock(&mu_);
    const auto place = streams_.find(id);
    if (place != streams_.end()) place->second = stream;
    stopped = stopped_;
  }
  if (stopped) stream->End(absl::UnavailableError("the teacher stops"));  // Stop may have missed it
  return stream.get();
}

std::vector<std::shared_ptr<FeatureStream>> TeacherService::Streams() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<FeatureStream>> streams;
  for (const auto& [id, stream] : streams_) {
    if (auto alive = stream.lock()) streams.push_back(std::move(alive));
  }
  return streams;
}

void TeacherService::Forget(uint64_t id) {
  absl::MutexLock lock(&mu_);
  streams_.erase(id);
  metrics_->Set("mimeo_teacher_streams", streams_.size());
  spdlog::info("stream closed id={}", id);
}

}  // namespace mimeo
