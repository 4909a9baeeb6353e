#include "teacher_server/batcher.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"

namespace mimeo {
namespace {

int64_t RequestBytes(const FeatureTask& task) {
  return task.images.size() + task.indices.size() * sizeof(int32_t) + task.keys.size() * sizeof(RandomKey);
}

}  // namespace

Batcher::Batcher(const FeatureGeometry& geometry, Compute compute, Metrics* metrics)
    : geometry_(geometry), compute_(std::move(compute)), metrics_(metrics) {
  thread_ = std::thread([this] { Run(); });
}

Batcher::~Batcher() { Stop(); }

absl::Status Batcher::Submit(uint64_t stream, FeatureTask task, Done done) {
  const int num_images = task.num_images;
  MIMEO_CHECK(num_images >= 1 && num_images <= geometry_.max_images_of(NumPatches(task.wish)),
              "a request must fit a batch");
  WishKey wish(task.wish);
  absl::MutexLock lock(&mu_);
  if (stopped_) return absl::UnavailableError("the teacher stops");
  queued_images_ += num_images;
  queued_bytes_ += RequestBytes(task);
  queues_[stream].push_back({std::move(task), std::move(wish), std::move(done)});
  ShowQueue();
  return absl::OkStatus();
}

void Batcher::Stop() {
  std::map<uint64_t, std::deque<QueuedRequest>> left;
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
    for (QueuedRequest& queued : queue) queued.done(absl::UnavailableError("the teacher stops"));
  }
}

int Batcher::queued_images() const {
  absl::MutexLock lock(&mu_);
  return queued_images_;
}

void Batcher::Run() {
  while (true) {
    std::vector<QueuedRequest> batch;
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

std::map<uint64_t, std::deque<Batcher::QueuedRequest>>::iterator Batcher::After(uint64_t stream) {
  const auto next = queues_.upper_bound(stream);
  return next == queues_.end() ? queues_.begin() : next;
}

std::vector<Batcher::QueuedRequest> Batcher::TakeBatch() {
  std::vector<QueuedRequest> batch;
  int num_images = 0;
  std::optional<uint64_t> passed_over;  // the first stream whose request has to wait for the next batch
  uint64_t last = last_stream_;
  while (!queues_.empty()) {
    const auto turn = After(last);
    if (turn->first == passed_over) break;  // once around: nobody else wishes the same
    QueuedRequest& next = turn->second.front();
    last = turn->first;
    if (!batch.empty() && next.wish != batch.front().wish) {
      if (!passed_over.has_value()) passed_over = last;
      continue;
    }
    // Taking smaller requests instead of one that does not fit would starve it.
    if (num_images + next.task.num_images > geometry_.max_images_of(NumPatches(next.task.wish))) {
      if (!passed_over.has_value()) passed_over = last;
      break;
    }
    num_images += next.task.num_images;
    queued_images_ -= next.task.num_images;
    queued_bytes_ -= RequestBytes(next.task);
    batch.push_back(std::move(next));
    turn->second.pop_front();
    if (turn->second.empty()) queues_.erase(turn);
  }
  // Who was passed over is first next time.
  last_stream_ = passed_over.has_value() ? *passed_over - 1 : last;
  return batch;
}

void Batcher::ShowQueue() {
  metrics_->Set("mimeo_teacher_queue_images", queued_images_);
  metrics_->Set("mimeo_teacher_queue_bytes", queued_bytes_);
}

void Batcher::ComputeBatch(std::vector<QueuedRequest> batch) {
  std::vector<FeatureTask> tasks;
  int num_images = 0;
  for (QueuedRequest& queued : batch) {
    num_images += queued.task.num_images;
    tasks.push_back(std::move(queued.task));
  }
  const absl::Time start = Clock::Real()->Now();
  absl::StatusOr<std::vector<std::string>> answers = compute_(tasks);
  metrics_->Observe("mimeo_teacher_forward_seconds", absl::ToDoubleSeconds(Clock::Real()->Now() - start));
  metrics_->Observe("mimeo_teacher_batch_images", num_images);
  metrics_->Add("mimeo_teacher_images_total", num_images);
  tasks.clear();  // before the answers go out, so that a request's bytes are gone when its budget is given back
  if (answers.ok() && answers->size() != batch.size()) {
    answers = absl::InternalError(absl::StrCat(answers->size(), " answers to ", batch.size(), " requests"));
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    if (answers.ok()) {
      batch[i].done(std::move((*answers)[i]));
    } else {
      batch[i].done(answers.status());
    }
  }
}

}  // namespace mimeo
