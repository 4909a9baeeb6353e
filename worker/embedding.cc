#include "worker/embedding.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/decode.h"
#include "model/mask_plan.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

absl::StatusOr<at::Tensor> ReadView(const Dataset& dataset, int64_t sample, const CropShape& shape, int64_t max_pixels) {
  ASSIGN_OR_RETURN(const std::string encoded, dataset.Read(sample));
  ASSIGN_OR_RETURN(const Pixels pixels, DecodeImage(encoded, max_pixels));
  return EvaluationCrop(pixels, shape);
}

// Uint8 crops (B, C, H, W) of those samples of [begin, end) that decode, whose ids go to `samples`; undefined when none does.
at::Tensor ReadViews(const Dataset& dataset, int64_t begin, int64_t end, const CropShape& shape, int64_t max_pixels,
                     std::vector<int64_t>* samples) {
  std::vector<absl::StatusOr<at::Tensor>> views(end - begin, absl::UnknownError("not read"));
  at::parallel_for(0, end - begin, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) views[i] = ReadView(dataset, begin + i, shape, max_pixels);
  });
  std::vector<at::Tensor> good;
  for (int64_t i = 0; i < end - begin; ++i) {
    if (views[i].ok()) {
      good.push_back(*views[i]);
      samples->push_back(begin + i);
    } else {
      spdlog::warn("image {} is left out: {}", dataset.name(begin + i), std::string(views[i].status().message()));
    }
  }
  return good.empty() ? at::Tensor() : at::stack(good);
}

// Calls `use` with the normalised views of each batch. Fills samples and labels.
absl::Status ForEachBatch(const Dataset& dataset, const CropShape& shape, const PixelStatistics& statistics,
                          const EmbedOptions& options, Embeddings* embeddings,
                          const std::function<void(const at::Tensor&)>& use) {
  const int64_t end = options.end > 0 ? std::min(options.end, dataset.size()) : dataset.size();
  for (int64_t first = options.begin; first < end; first += options.batch) {
    const int64_t last = std::min<int64_t>(first + options.batch, end);
    const at::Tensor bytes_BCHW = ReadViews(dataset, first, last, shape, options.max_pixels, &embeddings->samples);
    if (bytes_BCHW.defined()) use(NormalizePixels(bytes_BCHW.to(options.device), statistics));
    if (options.progress) options.progress(last - options.begin, end - options.begin);
  }
  for (const int64_t sample : embeddings->samples) embeddings->labels.push_back(dataset.label(sample));
  if (embeddings->samples.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("none of the ", std::max<int64_t>(end - options.begin, 0), " images can be decoded"));
  }
  return absl::OkStatus();
}

// "16 px", "16 x 24 px", "16 px, grey"
std::string TextOf(const ImageShape& image) {
  const std::string width = image.width_px == image.height_px ? "" : absl::StrCat(" x ", image.width_px);
  return absl::StrCat(image.height_px, width, " px", image.channels == 1 ? ", grey" : "");
}

at::Tensor OnCpu(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

absl::Status CheckLabels(const std::vector<int>& labels, const at::Tensor& rows_ND, const char* what) {
  if (!rows_ND.defined() || rows_ND.size(0) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: the ", what, " has no rows"));
  }
  if (static_cast<int64_t>(labels.size()) != rows_ND.size(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-NN: the ", what, " has ", rows_ND.size(0), " rows and ", labels.size(), " labels"));
  }
  const auto missing = std::count(labels.begin(), labels.end(), -1);
  if (missing == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("k-NN: ", missing, " of ", labels.size(), " images of the ", what,
                                                 " have no label; labels are class folders, or .cls or .json members of a tar"));
}

at::Tensor Unit(const at::Tensor& rows_ND) {
  const at::Tensor rows = rows_ND.to(at::kFloat);
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

// The class with most votes; of equals the smallest.
int Elect(const float* similarities, const int64_t* rows, int64_t k, const std::vector<int>& labels, double temperature) {
  std::map<int, double> votes;
  for (int64_t i = 0; i < k; ++i) votes[labels[rows[i]]] += std::exp(similarities[i] / temperature);
  const auto winner = std::max_element(votes.begin(), votes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return winner->first;
}

}  // namespace

absl::StatusOr<Embeddings> EmbedImages(const Dataset& dataset, const Encoder& encoder, const PixelStatistics& statistics,
                                       const EmbedOptions& options) {
  const PatchGrid grid = encoder.grid();
  const ImageShape& image = encoder.image();
  if (!(image == options.image)) {
    return absl::InvalidArgumentError(
        absl::StrCat("image size: ", TextOf(options.image), "; this encoder looks at ", TextOf(image)));
  }
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
  if (!classes.empty()) embeddings.class_token_ND = at::cat(classes);
  embeddings.patch_mean_ND = at::cat(means);
  if (!tokens.empty()) embeddings.patch_tokens_NLD = at::cat(tokens);
  return embeddings;
}

absl::StatusOr<Embeddings> RawPixelFeatures(const Dataset& dataset, int px, const EmbedOptions& options) {
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
  embeddings.patch_mean_ND = at::cat(rows);
  return embeddings;
}

absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                   const at::Tensor& query_MD, const std::vector<int>& query_labels, const KnnOptions& options) {
  RETURN_IF_ERROR(CheckLabels(bank_labels, bank_ND, "bank"));
  RETURN_IF_ERROR(CheckLabels(query_labels, query_MD, "query set"));
  if (bank_ND.size(1) != query_MD.size(1) || options.k <= 0 || !(options.temperature > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: widths ", bank_ND.size(1), " and ", query_MD.size(1), ", k ", options.k,
                                                   ", temperature ", options.temperature));
  }
  const at::NoGradGuard no_grad;
  const at::Tensor bank_DN = Unit(bank_ND).t();
  const int64_t k = std::min<int64_t>(options.k, bank_ND.size(0));
  constexpr int64_t kQueriesAtOnce = 256;
  int64_t right = 0;
  const int64_t queries = query_MD.size(0);
  for (int64_t first = 0; first < queries; first += kQueriesAtOnce) {
    const int64_t last = std::min(first + kQueriesAtOnce, queries);
    const auto [similarity, rows] = Unit(query_MD.slice(0, first, last)).matmul(bank_DN).topk(k);
    const at::Tensor similarity_QK = similarity.to(at::kCPU).contiguous();
    const at::Tensor rows_QK = rows.to(at::kCPU).contiguous();
    for (int64_t i = 0; i < last - first; ++i) {
      const int elected = Elect(similarity_QK.const_data_ptr<float>() + i * k, rows_QK.const_data_ptr<int64_t>() + i * k, k,
                                bank_labels, options.temperature);
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
