#include "teacher_server/serving.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status_macros.h"
#include "teacher/feature_type.h"
#include "teacher/teacher_frames.h"

namespace mimeo {

void SetServingLimits(int max_batch_images, TeacherContract* contract) {
  constexpr int64_t kRequestsThatFit = 16;
  contract->set_max_request_bytes(limits::kTeacherQueueBytes / kRequestsThatFit);
  const int64_t patch_px = std::max(1, contract->patch_px());
  const int64_t patches = contract->image_height_px() / patch_px * (contract->image_width_px() / patch_px);
  const int64_t width = std::max({contract->feature_width(), contract->projected_width(), contract->block_width()});
  const int64_t image_bytes = int64_t{contract->channels()} * contract->image_height_px() * contract->image_width_px() +
                              int64_t{sizeof(int32_t)} * patches +
                              ValueBytes(contract->feature_type()) * (patches + 1) * width;  // pixels, indices, answer
  const int64_t by_memory = contract->max_request_bytes() / std::max<int64_t>(1, image_bytes);
  contract->set_max_requests_in_flight(limits::kTeacherRequestsInFlight);
  contract->set_max_images_per_request(static_cast<int>(
      std::max<int64_t>(1, std::min<int64_t>({max_batch_images, limits::kTeacherImagesPerRequest, by_memory}))));
}

absl::StatusOr<std::unique_ptr<ServingTeacher>> ServingTeacher::Start(const Options& options,
                                                                      const TeacherContract& contract,
                                                                      Batcher::Compute compute, Metrics* metrics,
                                                                      Clock* clock) {
  RETURN_IF_ERROR(GeometryOf(contract).status());
  std::unique_ptr<ServingTeacher> server(new ServingTeacher(options, contract, std::move(compute), metrics, clock));
  ASSIGN_OR_RETURN(server->server_, RpcServer::Start(options.listen, {&server->service_}));
  server->watch_ = std::thread([raw = server.get()] { raw->WatchStreams(); });
  return server;
}

ServingTeacher::ServingTeacher(const Options& options, const TeacherContract& contract, Batcher::Compute compute,
                               Metrics* metrics, Clock* clock)
    : clock_(clock),
      batcher_(GeometryOf(contract).value(), std::move(compute), metrics),
      service_(contract, options.service, &batcher_, metrics, clock) {}

ServingTeacher::~ServingTeacher() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  if (watch_.joinable()) watch_.join();
  service_.Stop();
  server_.reset();  // every stream is done
  batcher_.Stop();  // nobody is owed an answer
}

void ServingTeacher::WatchStreams() {
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      if (clock_->Await(&mu_, absl::Condition(&stopped_), clock_->Now() + limits::kHeartbeatPeriod)) return;
    }
    service_.EndStalled(clock_->Now() - limits::kTeacherStall);
  }
}

}  // namespace mimeo
