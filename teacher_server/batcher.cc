#include "teacher_server/batcher.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace mimeo {
namespace {

int64_t RequestBytes(const FeatureTask& task) { return task.images.size() + task.indices.size() * sizeof(int32_t); }

}  // namespace

Batcher::Batcher(int max_batch_images, Compute compute, Metrics* metrics)
    : max_batch_images_(max_batch_images), compute_(std::move(compute)), metrics_(metrics) {
  thread_ = std::thread([this] { Run(); });
}

Batcher::~Batcher() { Stop(); }

absl::Status Batcher::Submit(uint64_t stream, FeatureTask task, Done done) {
  const int num_images = task.num_images;
  ABSL_RAW_CHECK(num_images >= 1 && num_images <= max_batch_images_, "a request must fit a batch");
  absl::MutexLock lock(&mu_);
  if (stopped_) return absl::UnavailableError("the teacher stops");
  queued_images_ += num_images;
  queued_bytes_ += RequestBytes(task);
  queues_[stream].push_back({std::move(task), std::move(done)});
  ShowQueue();
  return absl::OkStatus();
}

void Batcher::Stop() {
  std::map<uint64_t, std::deque<Waiting>> left;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    left.swap(queues_);
    queued_images_ = 0;
    queued_bytes_ = 0;
    ShowQueue();
  }
  if (thread_.joinable()) thread_.join();
  for (auto& [stream, queue] : left) {
    for (Waiting& waiting : queue) waiting.done(absl::UnavailableError("the teacher stops"));
  }
}

int Batcher::queued_images() const {
  absl::MutexLock lock(&mu_);
  return queued_images_;
}

void Batcher::Run() {
  while (true) {
    std::vector<Waiting> batch;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopped_ || !queues_.empty(); };
      mu_.Await(absl::Condition(&ready));
      if (stopped_) return;
      batch = TakeBatch();
      ShowQueue();
    }
    ComputeBatch(std::move(batch));
  }
}

std::vector<Batcher::Waiting> Batcher::TakeBatch() {
  std::vector<Waiting> batch;
  int num_images = 0;
  while (!queues_.empty()) {
    auto turn = queues_.upper_bound(last_stream_);
    if (turn == queues_.end()) turn = queues_.begin();
    Waiting& next = turn->second.front();
    // The stream whose request does not fit keeps its turn: taking smaller ones instead would starve it.
    if (num_images + next.task.num_images > max_batch_images_) break;
    num_images += next.task.num_images;
    queued_images_ -= next.task.num_images;
    queued_bytes_ -= RequestBytes(next.task);
    batch.push_back(std::move(next));
    last_stream_ = turn->first;
    turn->second.pop_front();
    if (turn->second.empty()) queues_.erase(turn);
  }
  return batch;
}

void Batcher::ShowQueue() {
  metrics_->Set("mimeo_teacher_queue_images", queued_images_);
  metrics_->Set("mimeo_teacher_queue_bytes", queued_bytes_);
}

void Batcher::ComputeBatch(std::vector<Waiting> batch) {
  std::vector<FeatureTask> tasks;
  int num_images = 0;
  for (Waiting& waiting : batch) {
    num_images += waiting.task.num_images;
    tasks.push_back(std::move(waiting.task));
  }
  const absl::Time start = Clock::Real()->Now();
  absl::StatusOr<std::vector<std::string>> features = compute_(tasks);
  metrics_->Observe("mimeo_teacher_forward_seconds", absl::ToDoubleSeconds(Clock::Real()->Now() - start));
  metrics_->Observe("mimeo_teacher_batch_images", num_images);
  metrics_->Add("mimeo_teacher_images_total", num_images);
  tasks.clear();  // before the answers go out, so that a request's bytes are gone when its budget is given back
  if (features.ok() && features->size() != batch.size()) {
    features = absl::InternalError(absl::StrCat(features->size(), " answers to ", batch.size(), " requests"));
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    if (features.ok()) {
      batch[i].done(std::move((*features)[i]));
    } else {
      batch[i].done(features.status());
    }
  }
}

}  // namespace mimeo
