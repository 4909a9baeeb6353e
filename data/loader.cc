#include "data/loader.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <functional>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <ATen/ops/empty.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/sample_name.h"
#include "data/sample_reader.h"
#include "job/job_shape.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

struct BadSample {
  int64_t sample = 0;
  std::string reason;
};

// A micro-batch in work. Rows are written by many threads, each its own; `done_rows` tells when all are.
struct InFlight {
  int64_t epoch = 0;
  int64_t first_position = 0;  // of row 0 in the epoch's order
  std::shared_ptr<const std::vector<int64_t>> order;
  Batch batch;
  std::vector<std::vector<BadSample>> bad;  // by row, in the order in which they were met
  int64_t taken_rows = 0;
  int64_t done_rows = 0;
};

// What is to be made next: a step of an epoch, and a micro-batch of it.
struct Cursor {
  int64_t epoch = 0;
  int64_t step = 0;
  int64_t micro = 0;
};

// No exception leaves a thread: libtorch throws, and memory may run out.
absl::StatusOr<bool> Caught(const std::function<absl::StatusOr<bool>()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory while reading images");
  } catch (const std::exception& error) {
    // The first line says what; the rest is a C++ stack.
    const absl::string_view what = error.what();
    return absl::InternalError(absl::StrCat("reading images: ", ToText(what.substr(0, what.find('\n')))));
  }
}

class PrefetchingLoader : public Loader {
 public:
  PrefetchingLoader(const Dataset* dataset, const JobSpec& spec, const Options& options)
      : dataset_(dataset),
        spec_(spec),
        options_(options),
        reader_(dataset, spec),
        steps_per_epoch_(dataset->size() / spec.data().global_batch()),
        micro_batch_(MicroBatch(spec, options.num_ranks)),
        micro_batches_(AccumulationSteps(spec, options.num_ranks)),
        cursor_{options.start.epoch(), options.start.batch(), 0} {
    const int threads = std::max(1, spec.data().loader_threads());
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { ReadRows(); });
  }

  ~PrefetchingLoader() override {
    Close();
    for (std::thread& thread : threads_) thread.join();
  }

  absl::StatusOr<Batch> Next() override {
    std::shared_ptr<InFlight> front;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &PrefetchingLoader::FrontReadyOrOver));
      if (closed_) return absl::CancelledError("loader closed");
      if (!FrontReady() && !failure_.ok()) return failure_;
      if (in_flight_.empty()) return absl::OutOfRangeError("all steps were given");
      front = std::move(in_flight_.front());
      in_flight_.pop_front();
    }
    // Here, in batch order, and not where they were met: so they come with the same batch for any number of threads.
    ReportBadSamples(front.get());
    return std::move(front->batch);
  }

  void Close() override {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }

 private:
  // ---- Reading threads.

  void ReadRows() ABSL_LOCKS_EXCLUDED(mu_) {
    while (true) {
      const absl::StatusOr<bool> more = Caught([this] { return ReadNextRow(); });
      if (more.ok() && *more) continue;
      if (more.ok()) return;
      absl::MutexLock lock(&mu_);
      failure_.Update(more.status());
      return;
    }
  }

  // False: there is nothing more to read.
  absl::StatusOr<bool> ReadNextRow() ABSL_LOCKS_EXCLUDED(mu_) {
    std::shared_ptr<InFlight> work;
    int64_t row = 0;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &PrefetchingLoader::WorkOrOver));
      if (closed_ || !failure_.ok() || (!HasOpenRow() && AtEnd())) return false;
      if (!HasOpenRow()) in_flight_.push_back(StartBatch());
      work = in_flight_.back();
      row = work->taken_rows++;
    }
    RETURN_IF_ERROR(ReadRow(work.get(), row));
    absl::MutexLock lock(&mu_);
    ++work->done_rows;
    return true;
  }

  // Tries the row's samples in their order until one is good, or more are bad than the job tolerates.
  absl::Status ReadRow(InFlight* work, int64_t row) const {
    const int64_t size = dataset_->size();
    std::vector<uint8_t*> views;
    for (const at::Tensor& view : work->batch.views_BCHW) {
      views.push_back(static_cast<uint8_t*>(view.data_ptr()) + row * view.stride(0));
    }
    const at::Tensor& targets = work->batch.shared_BCHW;
    uint8_t* const shared =
        targets.defined() ? static_cast<uint8_t*>(targets.data_ptr()) + row * targets.stride(0) : nullptr;
    const int64_t most = std::min(size - 1, spec_.data().max_bad_samples());
    for (int64_t attempt = 0; attempt <= most; ++attempt) {
      const int64_t position =
          ReplacementPosition(work->first_position + row, attempt, spec_.data().global_batch(), size);
      const int64_t sample = (*work->order)[position];
      absl::Status read = reader_.Read(work->epoch, sample, views, shared);
      if (options_.progress != nullptr) options_.progress->Move();
      if (read.ok()) {
        work->batch.sample_ids[row] = sample;
        work->batch.labels[row] = dataset_->label(sample);
        work->batch.keys[row] = reader_.KeyOf(work->epoch, sample);
        return absl::OkStatus();
      }
      if (!absl::IsDataLoss(read) && !absl::IsInvalidArgument(read)) return read;
      work->bad[row].push_back({sample, std::string(read.message())});
    }
    return absl::OkStatus();
  }

  std::shared_ptr<InFlight> StartBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (order_ == nullptr || order_epoch_ != cursor_.epoch) {
      order_ = std::make_shared<std::vector<int64_t>>(EpochOrder(spec_.seed(), cursor_.epoch, dataset_->size()));
      order_epoch_ = cursor_.epoch;
    }
    auto work = std::make_shared<InFlight>();
    const int64_t rows = micro_batch_;
    work->epoch = cursor_.epoch;
    work->order = order_;
    work->first_position =
        cursor_.step * spec_.data().global_batch() + (cursor_.micro * options_.num_ranks + options_.rank) * rows;
    work->bad.resize(rows);
    work->batch.sample_ids.assign(rows, -1);
    work->batch.labels.assign(rows, -1);
    work->batch.keys.assign(rows, RandomKey(0));
    const DataSpec& data = spec_.data();
    for (const ViewSpec& view : EachView(spec_)) {
      work->batch.views_BCHW.push_back(
          at::empty({rows, data.channels(), view.image_px(), view.image_width_px()}, at::kByte));
    }
    if (WantsSharedTarget(spec_)) {
      work->batch.shared_BCHW = at::empty({rows, data.channels(), data.image_px(), data.image_width_px()}, at::kByte);
    }
    Advance();
    work->batch.next.set_epoch(cursor_.epoch);
    work->batch.next.set_batch(cursor_.step);
    return work;
  }

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (++cursor_.micro < micro_batches_) return;
    cursor_.micro = 0;
    if (++cursor_.step < steps_per_epoch_) return;
    cursor_.step = 0;
    ++cursor_.epoch;
  }

  bool AtEnd() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return options_.last_step_batches > 0 &&
           cursor_.epoch * steps_per_epoch_ + cursor_.step >= options_.last_step_batches;
  }
  bool HasOpenRow() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !in_flight_.empty() && in_flight_.back()->taken_rows < micro_batch_;
  }
  bool WorkOrOver() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return closed_ || !failure_.ok() || HasOpenRow() || AtEnd() || in_flight_.size() < limits::kBatchesPrefetched;
  }
  bool FrontReady() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !in_flight_.empty() && in_flight_.front()->done_rows == micro_batch_;
  }
  bool FrontReadyOrOver() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return closed_ || !failure_.ok() || FrontReady() || (in_flight_.empty() && AtEnd());
  }

  // ---- The caller's thread.

  void ReportBadSamples(InFlight* work) {
    for (int64_t row = 0; row < micro_batch_; ++row) {
      for (const BadSample& bad : work->bad[row]) {
        if (!bad_.insert(bad.sample).second) continue;
        work->batch.bad_samples.push_back(bad.sample);
        spdlog::warn("bad sample {} ({}): {}; another takes its place", bad.sample,
                     ShortName(dataset_->name(bad.sample)), bad.reason);
      }
      work->batch.complete &= work->batch.sample_ids[row] >= 0;
    }
  }

  const Dataset* const dataset_;
  const JobSpec spec_;
  const Options options_;
  const SampleReader reader_;
  const int64_t steps_per_epoch_;
  const int64_t micro_batch_;    // rows of each
  const int64_t micro_batches_;  // of this rank in a step

  std::set<int64_t> bad_;  // reported so far; touched by Next alone

  mutable absl::Mutex mu_;
  Cursor cursor_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const std::vector<int64_t>> order_ ABSL_GUARDED_BY(mu_);
  int64_t order_epoch_ ABSL_GUARDED_BY(mu_) = -1;
  std::deque<std::shared_ptr<InFlight>> in_flight_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> threads_;  // last: they see everything above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Loader>> Loader::Open(const Dataset* dataset, const JobSpec& spec,
                                                     const Options& options) {
  const int64_t global_batch = spec.data().global_batch();
  if (MicroBatch(spec, options.num_ranks) == 0) {
    const bool grouped = spec.data().has_contrast_group();
    return absl::InvalidArgumentError(
        absl::StrCat(grouped ? "data.contrast_group: " : "data.global_batch: ",
                     grouped ? spec.data().contrast_group() : global_batch, " images: ", options.num_ranks,
                     " ranks cannot share them evenly with at most resources.micro_batch ",
                     spec.resources().micro_batch(), " each"));
  }
  if (options.rank < 0 || options.rank >= options.num_ranks) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", options.rank, " of ", options.num_ranks));
  }
  if (dataset->size() < global_batch) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.path: ", dataset->size(), " images are fewer than one global batch of ", global_batch));
  }
  const int64_t steps = dataset->size() / global_batch;
  if (options.start.epoch() < 0 || options.start.batch() < 0 || options.start.batch() >= steps) {
    return absl::InvalidArgumentError(absl::StrCat("start: batch ", options.start.batch(), " of epoch ",
                                                   options.start.epoch(), "; an epoch has ", steps, " batches"));
  }
  return std::make_unique<PrefetchingLoader>(dataset, spec, options);
}

}  // namespace mimeo
