#include "evaluation/embedding.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/augment.h"
#include "data/decode.h"
#include "data/spread_sample.h"
#include "model/catch_torch.h"
#include "model/finite.h"
#include "model/mask_plan.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

constexpr size_t kLeftOutNamed = 20;

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

absl::Status CheckRows(const std::vector<int>& labels, const at::Tensor& rows_ND, const char* what) {
  if (!rows_ND.defined() || rows_ND.size(0) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: the ", what, " has no rows"));
  }
  if (static_cast<int64_t>(labels.size()) != rows_ND.size(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-NN: the ", what, " has ", rows_ND.size(0), " rows and ", labels.size(), " labels"));
  }
  const auto missing = std::count(labels.begin(), labels.end(), -1);
  if (missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-NN: ", missing, " of ", labels.size(), " images of the ", what,
                     " have no label; labels are class folders, or .cls or .json members of a tar"));
  }
  const std::string not_finite = NotFinite(rows_ND);
  if (not_finite.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("k-NN: the features of the ", what, " hold ", not_finite));
}

at::Tensor Unit(const at::Tensor& rows_ND) {
  const at::Tensor rows = rows_ND.to(at::kFloat);
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

// The class with most votes; of equals the smallest.
int Elect(const float* similarities, const int64_t* rows, int64_t k, const std::vector<int>& labels,
          double temperature) {
  std::map<int, double> votes;
  for (int64_t i = 0; i < k; ++i) votes[labels[rows[i]]] += std::exp(similarities[i] / temperature);
  const auto winner =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return winner->first;
}

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

bool IsBadImage(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status) || absl::IsAborted(status);
}

void LogLeftOut(const Dataset& dataset, const std::vector<LeftOut>& left_out) {
  for (size_t i = 0; i < std::min(left_out.size(), kLeftOutNamed); ++i) {
    spdlog::warn("image {} is left out: {}", ToText(dataset.name(left_out[i].sample)), ToText(left_out[i].reason));
  }
  if (left_out.size() > kLeftOutNamed) spdlog::warn("and {} more images are left out", left_out.size() - kLeftOutNamed);
}

absl::Status CheckAnyRow(const std::string& what, const Embeddings& embeddings) {
  if (!embeddings.samples.empty()) return absl::OkStatus();
  const size_t bad = embeddings.left_out.size();
  return absl::InvalidArgumentError(absl::StrCat(what, ": none of its ", bad, " images can be decoded",
                                                 bad == 0 ? "" : "; the first: " + embeddings.left_out.front().reason));
}

int64_t VotersOf(const KnnOptions& options, int64_t bank_rows) { return std::min<int64_t>(options.k, bank_rows); }

absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                   const at::Tensor& query_MD, const std::vector<int>& query_labels,
                                   const KnnOptions& options) {
  RETURN_IF_ERROR(CheckRows(bank_labels, bank_ND, "bank"));
  RETURN_IF_ERROR(CheckRows(query_labels, query_MD, "query set"));
  if (bank_ND.size(1) != query_MD.size(1) || options.k <= 0 || !(options.temperature > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: widths ", bank_ND.size(1), " and ", query_MD.size(1), ", k ",
                                                   options.k, ", temperature ", options.temperature));
  }
  const at::NoGradGuard no_grad;
  const at::Tensor bank_DN = Unit(bank_ND).t();
  const int64_t k = VotersOf(options, bank_ND.size(0));
  constexpr int64_t kQueriesAtOnce = 256;
  int64_t right = 0;
  const int64_t queries = query_MD.size(0);
  for (int64_t first = 0; first < queries; first += kQueriesAtOnce) {
    const int64_t last = std::min(first + kQueriesAtOnce, queries);
    const auto [similarity, rows] = Unit(query_MD.slice(0, first, last)).matmul(bank_DN).topk(k);
    const at::Tensor similarity_QK = similarity.to(at::kCPU).contiguous();
    const at::Tensor rows_QK = rows.to(at::kCPU).contiguous();
    for (int64_t i = 0; i < last - first; ++i) {
      const int elected = Elect(similarity_QK.const_data_ptr<float>() + i * k,
                                rows_QK.const_data_ptr<int64_t>() + i * k, k, bank_labels, options.temperature);
      right += elected == query_labels[first + i];
    }
  }
  return static_cast<double>(right) / static_cast<double>(queries);
}

double MajorityRate(const std::vector<int>& labels) {
  std::map<int, int64_t> counts;
  int64_t most = 0;
  for (const int label : labels) most = std::max(most, ++counts[label]);
  return labels.empty() ? 0 : static_cast<double>(most) / static_cast<double>(labels.size());
}

std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference) {
  std::map<std::string, int> index;
  for (size_t i = 0; i < reference.size(); ++i) index.emplace(reference[i], static_cast<int>(i));
  std::vector<int> among;
  for (const int label : labels) {
    if (label < 0) {
      among.push_back(-1);
      continue;
    }
    const auto found = index.find(names[label]);
    among.push_back(found != index.end() ? found->second : static_cast<int>(reference.size()) + label);
  }
  return among;
}

}  // namespace mimeo
