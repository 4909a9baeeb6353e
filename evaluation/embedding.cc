#include "evaluation/embedding.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/augment.h"
#include "data/decode.h"
#include "data/spread_sample.h"
#include "model/catch_torch.h"
#include "model/mask_plan.h"

namespace mimeo {
namespace {

absl::StatusOr<at::Tensor> ReadView(const Dataset& dataset, int64_t sample, const CropShape& shape,
                                    int64_t max_pixels) {
  ASSIGN_OR_RETURN(const std::string encoded, dataset.Read(sample));
  ASSIGN_OR_RETURN(const Pixels pixels, DecodeImage(encoded, max_pixels));
  return EvaluationCrop(pixels, shape);
}

// Uint8 crops (B, C, H, W) of those `samples` that can be used, undefined where none can. Fills samples and left_out.
absl::StatusOr<at::Tensor> ReadViews(const Dataset& dataset, const std::vector<int64_t>& samples,
                                     const CropShape& shape, int64_t max_pixels, Embeddings* embeddings) {
  const auto count = static_cast<int64_t>(samples.size());
  std::vector<absl::StatusOr<at::Tensor>> views(samples.size(), absl::UnknownError("not read"));
  // On libtorch's threads, each of which is the root of what it does.
  at::parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      views[i] = CatchTorch([&] { return ReadView(dataset, samples[i], shape, max_pixels); });
    }
  });
  std::vector<at::Tensor> good;
  for (int64_t i = 0; i < count; ++i) {
    const absl::Status& status = views[i].status();
    if (status.ok()) {
      good.push_back(*views[i]);
      embeddings->samples.push_back(samples[i]);
      embeddings->labels.push_back(dataset.label(samples[i]));
    } else if (IsBadImage(status)) {
      embeddings->left_out.push_back({samples[i], std::string(status.message())});
    } else {
      return absl::Status(status.code(),
                          absl::StrCat("image ", ToText(dataset.name(samples[i])), ": ", status.message()));
    }
  }
  return good.empty() ? at::Tensor() : at::stack(good);
}

// Calls `use` with the normalised views of each batch. Fills samples, labels and left_out.
absl::Status ForEachBatch(const Dataset& dataset, const CropShape& shape, const PixelStatistics& statistics,
                          const EmbedOptions& options, Embeddings* embeddings,
                          const std::function<void(const at::Tensor&)>& use) {
  const std::vector<int64_t> samples = options.samples.has_value() ? *options.samples : AllSamples(dataset);
  const auto all = static_cast<int64_t>(samples.size());
  for (int64_t first = 0; first < all; first += options.batch) {
    if (options.stop_wanted && options.stop_wanted()) {
      return absl::CancelledError("told to stop while images are embedded");
    }
    const int64_t last = std::min<int64_t>(first + options.batch, all);
    const std::vector<int64_t> batch(samples.begin() + first, samples.begin() + last);
    ASSIGN_OR_RETURN(const at::Tensor bytes_BCHW, ReadViews(dataset, batch, shape, options.max_pixels, embeddings));
    if (bytes_BCHW.defined()) use(NormalizePixels(bytes_BCHW.to(options.device), statistics));
    if (options.progress) options.progress(last, all);
  }
  return absl::OkStatus();
}

// Rows that follow each other; of none, zero rows of that shape.
at::Tensor Joined(const std::vector<at::Tensor>& rows, std::vector<int64_t> shape_of_none) {
  return rows.empty() ? at::empty(shape_of_none, at::kFloat) : at::cat(rows);
}

// "16 px", "16 x 24 px", "16 px, grey"
std::string TextOf(const ImageShape& image) {
  const std::string width = image.width_px == image.height_px ? "" : absl::StrCat(" x ", image.width_px);
  return absl::StrCat(image.height_px, width, " px", image.channels == 1 ? ", grey" : "");
}

at::Tensor OnCpu(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

}  // namespace

absl::StatusOr<Embeddings> EmbedImages(const Dataset& dataset, const Encoder& encoder,
                                       const PixelStatistics& statistics, const EmbedOptions& options) {
  const PatchGrid grid = encoder.grid();
  const ImageShape& image = encoder.image();
  if (!(image == options.image)) {
    return absl::InvalidArgumentError(
        absl::StrCat("image size: ", TextOf(options.image), "; this encoder looks at ", TextOf(image)));
  }
  return CatchTorch([&]() -> absl::StatusOr<Embeddings> {
    const at::NoGradGuard no_grad;
    Embeddings embeddings;
    std::vector<at::Tensor> classes;
    std::vector<at::Tensor> means;
    std::vector<at::Tensor> tokens;
    const auto encode = [&](const at::Tensor& images_BCHW) {
      const MaskPlan plan = AllVisible(images_BCHW.size(0), grid.num_patches(), images_BCHW.device());
      const Encoding encoding = encoder.Encode(images_BCHW, plan);
      if (encoding.class_BD.defined()) classes.push_back(OnCpu(encoding.class_BD));
      means.push_back(OnCpu(encoding.visible_BKD.mean(1)));
      if (options.tokens) tokens.push_back(OnCpu(encoding.visible_BKD));
    };
    const CropShape shape{image.channels, image.height_px, image.width_px};
    RETURN_IF_ERROR(ForEachBatch(dataset, shape, statistics, options, &embeddings, encode));
    if (encoder.has_class_token()) embeddings.class_token_ND = Joined(classes, {0, encoder.width()});
    embeddings.patch_mean_ND = Joined(means, {0, encoder.width()});
    if (options.tokens) embeddings.patch_tokens_NLD = Joined(tokens, {0, grid.num_patches(), encoder.width()});
    return embeddings;
  });
}

absl::StatusOr<Embeddings> RawPixelFeatures(const Dataset& dataset, int px, const EmbedOptions& options) {
  return CatchTorch([&]() -> absl::StatusOr<Embeddings> {
    const at::NoGradGuard no_grad;
    EmbedOptions on_cpu = options;
    on_cpu.device = at::kCPU;
    Embeddings embeddings;
    std::vector<at::Tensor> rows;
    const CropShape shape{options.image.channels, px, px};
    const PixelStatistics statistics = shape.channels == 1 ? PixelStatistics{{0.449f}, {0.226f}} : ImageNetStatistics();
    RETURN_IF_ERROR(ForEachBatch(dataset, shape, statistics, on_cpu, &embeddings, [&](const at::Tensor& images_BCHW) {
      rows.push_back(images_BCHW.flatten(1).clone());
    }));
    embeddings.patch_mean_ND = Joined(rows, {0, int64_t{shape.channels} * px * px});
    return embeddings;
  });
}

absl::Status CheckAnyRow(const std::string& what, const Embeddings& embeddings) {
  if (!embeddings.samples.empty()) return absl::OkStatus();
  const size_t bad = embeddings.left_out.size();
  return absl::InvalidArgumentError(absl::StrCat(what, ": none of its ", bad, " images can be decoded",
                                                 bad == 0 ? "" : "; the first: " + embeddings.left_out.front().reason));
}

}  // namespace mimeo
