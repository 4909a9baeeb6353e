#include "teacher_server/serving.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/teacher_frames.h"

namespace mimeo {

void SetServingLimits(int max_batch_images, TeacherContract* contract) {
  constexpr int64_t kRequestsThatFit = 16;
  const int64_t patches = contract->patch_px() > 0 ? contract->image_px() / contract->patch_px() : 0;
  const int64_t image_bytes = int64_t{3} * contract->image_px() * contract->image_px() +
                              4 * patches * patches * (1 + contract->feature_width());  // pixels, indices, answer
  const int64_t by_memory = limits::kTeacherQueueBytes / kRequestsThatFit / std::max<int64_t>(1, image_bytes);
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
      batcher_(contract.max_images_per_request(), std::move(compute), metrics),
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
