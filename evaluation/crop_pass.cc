#include "evaluation/crop_pass.h"

#include <ATen/Parallel.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/decode.h"
#include "data/spread_sample.h"
#include "model/catch_torch.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStopPoll = absl::Milliseconds(200);

using ImageCrops = std::vector<at::Tensor>;  // of one image, by shape

bool SameShape(const CropShape& a, const CropShape& b) {
  return a.channels == b.channels && a.height_px == b.height_px && a.width_px == b.width_px;
}

// Those that the uses want, each once.
std::vector<CropShape> WantedShapes(const std::vector<CropUse*>& uses) {
  std::vector<CropShape> wanted;
  for (const CropUse* use : uses) {
    for (const CropShape& shape : use->shapes()) {
      const auto same = [&shape](const CropShape& other) { return SameShape(shape, other); };
      if (std::none_of(wanted.begin(), wanted.end(), same)) wanted.push_back(shape);
    }
  }
  return wanted;
}

absl::StatusOr<Pixels> ReadPixels(const Dataset& dataset, int64_t sample, int64_t max_pixels) {
  ASSIGN_OR_RETURN(const std::string encoded, dataset.Read(sample));
  return DecodeImage(encoded, max_pixels);
}

absl::Status NamedError(const Dataset& dataset, int64_t sample, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("image ", ToText(dataset.name(sample)), ": ", status.message()));
}

bool StopWanted(const PassOptions& options) { return options.stop_wanted && options.stop_wanted(); }

absl::Status Stopped() { return absl::CancelledError("told to stop during a pass over images"); }

// Reads images in the order of `samples`, ahead of the one thread that calls Next.
class CropReader {
 public:
  // `dataset` outlives it.
  CropReader(const Dataset& dataset, std::vector<int64_t> samples, std::vector<CropShape> shapes,
             const PassOptions& options)
      : dataset_(dataset),
        samples_(std::move(samples)),
        shapes_(std::move(shapes)),
        options_(options),
        ahead_(std::min(samples_.size(), static_cast<size_t>(options.batch) * limits::kBatchesPrefetched)),
        read_(ahead_) {}

  ~CropReader() {
    {
      absl::MutexLock lock(&mu_);
      closed_ = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  // Apart from the constructor, because the system may refuse a thread: those that it gave are joined then.
  void Start() {
    const int threads = options_.threads > 0 ? options_.threads : at::get_num_threads();
    const int useful = static_cast<int>(std::min(ahead_, static_cast<size_t>(std::max(1, threads))));
    threads_.reserve(useful);
    for (int i = 0; i < useful; ++i) threads_.emplace_back([this] { ReadImages(); });
  }

  int64_t images() const { return static_cast<int64_t>(samples_.size()); }
  int64_t taken() const { return next_batch_; }

  // The next batch. Adds what is left out of it. REQUIRES: taken() < images().
  absl::StatusOr<CropBatch> Next(std::vector<LeftOut>* left_out) {
    const int64_t end = std::min(next_batch_ + options_.batch, images());
    CropBatch batch;
    std::vector<ImageCrops> good;
    for (; next_batch_ < end; ++next_batch_) {
      if (!WaitForImage()) return Stopped();
      absl::StatusOr<ImageCrops> crops = TakeImage();
      const int64_t sample = samples_[next_batch_];
      if (crops.ok()) {
        good.push_back(*std::move(crops));
        batch.samples.push_back(sample);
        batch.labels.push_back(dataset_.label(sample));
      } else if (IsBadImage(crops.status())) {
        left_out->push_back({sample, std::string(crops.status().message())});
      } else {
        return NamedError(dataset_, sample, crops.status());
      }
    }
    for (size_t i = 0; !good.empty() && i < shapes_.size(); ++i) {
      std::vector<at::Tensor> of_shape;
      for (const ImageCrops& crops : good) of_shape.push_back(crops[i]);
      batch.crops.push_back({shapes_[i], at::stack(of_shape)});
    }
    return batch;
  }

 private:
  // ---- Reading threads.

  void ReadImages() ABSL_LOCKS_EXCLUDED(mu_) {
    while (const std::optional<int64_t> place = NextPlace()) {
      // The root of the thread: libtorch throws, and memory may run out.
      absl::StatusOr<ImageCrops> crops = CatchTorch([&] { return ReadCrops(samples_[*place]); });
      absl::MutexLock lock(&mu_);
      read_[*place % ahead_] = std::move(crops);
    }
  }

  std::optional<int64_t> NextPlace() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &CropReader::RoomOrOver));
    if (closed_ || next_read_ == images()) return std::nullopt;
    return next_read_++;
  }

  absl::StatusOr<ImageCrops> ReadCrops(int64_t sample) const {
    ASSIGN_OR_RETURN(const Pixels pixels, ReadPixels(dataset_, sample, options_.max_pixels));
    ImageCrops crops;
    for (const CropShape& shape : shapes_) crops.push_back(EvaluationCrop(pixels, shape));
    return crops;
  }

  bool RoomOrOver() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return closed_ || next_read_ == images() || next_read_ < taken_ + static_cast<int64_t>(ahead_);
  }

  // ---- The caller's thread.

  // False: a stop is wanted.
  bool WaitForImage() ABSL_LOCKS_EXCLUDED(mu_) {
    Clock* const clock = Clock::Real();
    while (true) {
      {
        absl::MutexLock lock(&mu_);
        if (clock->Await(&mu_, absl::Condition(this, &CropReader::FrontIsRead), clock->Now() + kStopPoll)) return true;
      }
      if (StopWanted(options_)) return false;
    }
  }

  absl::StatusOr<ImageCrops> TakeImage() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    std::optional<absl::StatusOr<ImageCrops>>& front = read_[taken_ % ahead_];
    absl::StatusOr<ImageCrops> crops = *std::move(front);
    front.reset();
    ++taken_;
    return crops;
  }

  bool FrontIsRead() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return read_[taken_ % ahead_].has_value(); }

  const Dataset& dataset_;
  const std::vector<int64_t> samples_;
  const std::vector<CropShape> shapes_;
  const PassOptions& options_;
  const size_t ahead_;      // images that are read and not taken, at most
  int64_t next_batch_ = 0;  // of the caller's thread: the place of the next image in `samples_`

  absl::Mutex mu_;
  // A ring: the image at place i of `samples_` is at i modulo ahead_ from when it is read until it is taken.
  std::vector<std::optional<absl::StatusOr<ImageCrops>>> read_ ABSL_GUARDED_BY(mu_);
  int64_t next_read_ ABSL_GUARDED_BY(mu_) = 0;  // the place that a thread reads next
  int64_t taken_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> threads_;  // last: they see everything above
};

}  // namespace

at::Tensor CropBatch::Of(const CropShape& shape) const {
  for (const Crops& of : crops) {
    if (SameShape(of.shape, shape)) return of.images_BCHW;
  }
  return at::Tensor();
}

absl::StatusOr<std::vector<LeftOut>> RunPass(const Dataset& dataset, const PassOptions& options,
                                             const std::vector<CropUse*>& uses) {
  return CatchTorch([&]() -> absl::StatusOr<std::vector<LeftOut>> {
    std::vector<LeftOut> left_out;
    CropReader reader(dataset, options.samples.has_value() ? *options.samples : AllSamples(dataset), WantedShapes(uses),
                      options);
    reader.Start();
    while (reader.taken() < reader.images()) {
      if (StopWanted(options)) return Stopped();
      ASSIGN_OR_RETURN(const CropBatch batch, reader.Next(&left_out));
      for (CropUse* use : uses) {
        if (use != uses.front() && StopWanted(options)) return Stopped();
        RETURN_IF_ERROR(use->Use(batch));
        if (options.progress) options.progress(reader.taken(), reader.images());
      }
    }
    return left_out;
  });
}

absl::Status CheckAnyDecodes(const Dataset& dataset, const PassOptions& options) {
  const std::vector<int64_t> samples = options.samples.has_value() ? *options.samples : AllSamples(dataset);
  const auto all = static_cast<int64_t>(samples.size());
  std::vector<LeftOut> left_out;
  for (int64_t i = 0; i < all; ++i) {
    if (StopWanted(options)) return absl::CancelledError("told to stop while images are tried");
    const absl::Status status = ReadPixels(dataset, samples[i], options.max_pixels).status();
    if (options.progress) options.progress(i + 1, all);
    if (status.ok()) return absl::OkStatus();
    if (!IsBadImage(status)) return NamedError(dataset, samples[i], status);
    left_out.push_back({samples[i], std::string(status.message())});
  }
  return NoneDecodes(dataset, left_out);
}

}  // namespace mimeo
