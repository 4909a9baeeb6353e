#include "job/cost.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/safetensors.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr double kFloat = 4, kHalf = 2;  // bytes

// Measured on a CPU (docs/plan.md): what a rank of the smallest model holds, what it holds of large states above their
// numbers, and of activations above what is counted. On a GPU nothing was measured: cuBLAS's and cuDNN's workspaces,
// and a caching allocator that loses a little.
constexpr int64_t kCpuProcessBytes = int64_t{225} << 20, kCudaProcessBytes = int64_t{600} << 20;
constexpr double kStateLoss = 0.1, kCpuActivations = 1.35, kCudaActivations = 1.1;

int64_t Sum(const std::vector<ModelTensor>& tensors) {
  int64_t sum = 0;
  for (const ModelTensor& tensor : tensors) sum += tensor.size();
  return sum;
}

int64_t SumTrained(const std::vector<ModelTensor>& tensors) {
  int64_t sum = 0;
  for (const ModelTensor& tensor : tensors) sum += tensor.trained ? tensor.size() : 0;
  return sum;
}

// How activations are stored, and what is kept of a block.
struct Storage {
  bool half = false;        // matrix products in bfloat16
  bool recomputed = false;  // only the input of each block is kept
};

// Bytes that autograd keeps of `depth` transformer blocks for one token, and what the backward pass of one holds
// beside. Kept are: the block's input and the first sum (float), both norms, query, key and value, the attention, and
// both sides of the activation.
struct BlockBytes {
  double kept = 0;
  double working = 0;
};
BlockBytes BlocksOf(double depth, double width, double mlp_width, const Storage& storage) {
  const double products = storage.half ? kHalf : kFloat;
  const double one = 2 * kFloat * width + products * (6 * width + 2 * mlp_width);
  const double working = products * (2 * mlp_width + 4 * width) + kFloat * 2 * width;
  if (!storage.recomputed) return {depth * one, working};
  return {depth * kFloat * width, one + working};
}

// Of one image, all of its views and masks.
struct ImageBytes {
  double kept = 0;
  double working = 0;  // the most of any part
  void Add(const BlockBytes& blocks, double tokens) {
    kept += blocks.kept * tokens;
    working = std::max(working, blocks.working * tokens);
  }
};

struct TokenShape {
  double width = 0;
  double extra_tokens = 0;  // class token and registers
};

TokenShape TokensOf(const EncoderSpec& spec) {
  if (spec.has_conv_vit()) return {1.0 * spec.conv_vit().width(), spec.conv_vit().class_token() ? 1.0 : 0};
  return {1.0 * spec.vit().width(), (spec.vit().class_token() ? 1.0 : 0) + spec.vit().register_tokens()};
}

// One view under one mask. The stages keep of each place: the block's input, its norms, the depthwise convolution's
// canvas and result, and both sides of the activation.
void AddEncoding(const JobSpec& spec, double patches, double visible, const Storage& storage, ImageBytes* bytes) {
  const TokenShape shape = TokensOf(spec.encoder());
  if (!spec.encoder().has_conv_vit()) {
    const VitSpec& vit = spec.encoder().vit();
    const double tokens = (vit.mask_token() ? patches : visible) + shape.extra_tokens;
    bytes->Add(BlocksOf(vit.depth(), vit.width(), vit.width() * vit.mlp_ratio(), storage), tokens);
    return;
  }
  const ConvVitSpec& conv = spec.encoder().conv_vit();
  double places = 16 * (conv.stages() == STAGES_DENSE ? patches : visible);
  for (int stage = 0; stage < conv.stage_width_size(); ++stage, places /= 4) {
    const double width = conv.stage_width(stage), mlp = width * conv.mlp_ratio();
    const double products = storage.half ? kHalf : kFloat;
    const double embedding = (kFloat + 3 * products) * width;
    const double block = 2 * kFloat * width + products * (5 * width + 2 * mlp);
    bytes->kept += places * (embedding + conv.stage_depth(stage) * block);
    bytes->working = std::max(bytes->working, places * products * (2 * mlp + 3 * width));
  }
  bytes->Add(BlocksOf(conv.depth(), conv.width(), conv.width() * conv.mlp_ratio(), storage),
             visible + shape.extra_tokens);
}

template <typename Decoder>
void AddDecoder(const Decoder& decoder, double tokens, double hidden, double values, const Storage& storage,
                ImageBytes* bytes) {
  const double width = decoder.decoder_width();
  bytes->Add(BlocksOf(decoder.decoder_depth(), width, 4 * width, storage), tokens);
  bytes->kept += hidden * kFloat * (2 * width + 3 * values);  // what it predicts, and what that is compared with
}

// Of one encoding, all of its objectives.
void AddObjectives(const JobSpec& spec, double patches, double visible, const Storage& storage, ImageBytes* bytes) {
  const TokenShape shape = TokensOf(spec.encoder());
  const double hidden = patches - visible, decoded = patches + shape.extra_tokens;
  const double pixels = static_cast<double>(spec.data().channels()) * PatchPx(spec) * PatchPx(spec);
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.reconstruction().linear()) {
      bytes->kept += hidden * kFloat * 3 * pixels;
    } else if (objective.has_reconstruction()) {
      AddDecoder(objective.reconstruction(), decoded, hidden, pixels, storage, bytes);
    }
    if (!objective.has_mimic()) continue;
    bytes->kept += visible * kFloat * 3 * kUsualTeacherWidth;
    if (objective.mimic().tokens() != MIMIC_TOKENS_VISIBLE) {
      AddDecoder(objective.mimic(), decoded, hidden, kUsualTeacherWidth, storage, bytes);
    }
  }
}

// Of one row, an encoding of an image, that goes through the heads which compare whole images. `rows`: of all ranks.
double HeadBytes(const JobSpec& spec, double rows) {
  constexpr double kBatchNormed = 6, kCompared = 4, kDistributions = 5;  // copies that are kept of a number
  double sum = 0;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_contrastive()) {
      const ContrastiveSpec& contrastive = objective.contrastive();
      double widths = contrastive.projector().width();
      for (const int width : contrastive.projector().hidden_width()) widths += width;
      if (contrastive.has_predictor()) widths += contrastive.predictor().hidden_width();
      sum += kFloat * (kBatchNormed * widths + (contrastive.has_info_nce() ? kCompared * rows : 0));
    }
    if (objective.has_self_distillation()) {
      sum += kFloat * kDistributions * objective.self_distillation().num_prototypes();
    }
  }
  return sum;
}

// What one micro-batch keeps for its backward pass, and works with.
double ActivationBytes(const JobSpec& spec, int num_ranks, Device device, double micro_batch) {
  const Storage storage = {spec.resources().precision() == PRECISION_BF16, spec.resources().activation_checkpointing()};
  ImageBytes image;
  double encodings = 0;
  for (const ViewSpec& view : EachView(spec)) {
    const int p = PatchPx(spec);
    const int64_t patches_down = view.image_px() / p, patches_across = view.image_width_px() / p;
    const auto patches = static_cast<double>(patches_down * patches_across);
    const bool full = IsFullSize(view, spec.data());
    const double visible = full ? NumVisible(spec) : patches;
    for (int mask = 0; mask < (full ? spec.mask().groups() : 1); ++mask, ++encodings) {
      AddEncoding(spec, patches, visible, storage, &image);
      AddObjectives(spec, patches, visible, storage, &image);
    }
    const double pixels = static_cast<double>(view.image_px()) * view.image_width_px() * spec.data().channels();
    image.kept += 2 * kFloat * pixels;  // normalised, and cut into patches
  }
  const double heads = encodings * HeadBytes(spec, encodings * micro_batch * num_ranks);
  const double loss = device == DEVICE_CPU ? kCpuActivations : kCudaActivations;
  return loss * micro_batch * (image.kept + image.working + heads);
}

double ImagePixels(const JobSpec& spec) {
  double pixels = 0;
  for (const ViewSpec& view : EachView(spec)) {
    pixels += static_cast<double>(view.image_px()) * view.image_width_px() * spec.data().channels();
  }
  return pixels;
}

void AddState(const std::vector<ModelTensor>& tensors, const std::string& prefix, bool trained_only,
              std::map<std::string, TensorBytes>* state) {
  for (const ModelTensor& tensor : tensors) {
    if (trained_only && !tensor.trained) continue;
    (*state)[prefix + tensor.name] = {"F32", tensor.shape, {}};
  }
}

}  // namespace

ParameterCounts CountParameters(const JobSpec& spec, const TeacherWidths& teachers) {
  const std::vector<ModelTensor> all = ModelTensors(spec, teachers);
  ParameterCounts counts;
  counts.encoder = Sum(EncoderTensors(spec.encoder(), spec.data()));
  counts.heads = Sum(all) - counts.encoder;
  counts.frozen = Sum(all) - SumTrained(all);
  counts.averaged = Sum(AverageTensors(spec));
  return counts;
}

int64_t CheckpointBytes(const JobSpec& spec, const TeacherWidths& teachers, int64_t steps_per_epoch, int64_t step) {
  const std::vector<ModelTensor> model = ModelTensors(spec, teachers);
  std::map<std::string, TensorBytes> state;
  AddState(model, "", /*trained_only=*/false, &state);
  AddState(model, "optimizer.exp_avg.", /*trained_only=*/true, &state);
  AddState(model, "optimizer.exp_avg_sq.", /*trained_only=*/true, &state);
  AddState(AverageTensors(spec), "ema.", /*trained_only=*/false, &state);
  state["optimizer.steps"] = {"F32", {}, {}};
  for (const ModelTensor& tensor : model) {
    const std::string cohort = CohortOf(spec, tensor.name);
    if (tensor.trained && !cohort.empty()) state["optimizer.steps." + cohort] = {"F32", {}, {}};
  }
  int64_t bytes = 0;
  for (const auto& [name, tensor] : state) {
    int64_t size = DtypeBytes(tensor.dtype);
    for (const int64_t length : tensor.shape) size *= length;
    bytes += size;
  }
  const int64_t per_epoch = std::max<int64_t>(1, steps_per_epoch);
  const std::map<std::string, std::string> metadata = {{"step", absl::StrCat(step)},
                                                       {"epoch", absl::StrCat(step / per_epoch)},
                                                       {"batch", absl::StrCat(step % per_epoch)},
                                                       {"job", JobSpecText(spec)}};
  return bytes + static_cast<int64_t>(SafetensorsHeader(state, metadata).size());
}

int64_t RankMemory::steps() const {
  return fixed() + (gradients_beside_activations ? activations : std::max(activations, gradients));
}

int64_t RankMemory::Peak(int64_t steps) const {
  if (checkpoint_beside_steps) return steps + checkpoint;
  return std::max(steps, process + weights + gradients + moments + averages + checkpoint);
}

RankMemory EstimateRankMemory(const JobSpec& spec, int num_ranks, Device device, int64_t total_steps,
                              const TeacherWidths& teachers) {
  const std::vector<ModelTensor> model = ModelTensors(spec, teachers);
  const double all = static_cast<double>(Sum(model)), trained = static_cast<double>(SumTrained(model));
  const double averaged = static_cast<double>(Sum(AverageTensors(spec)));
  const bool cpu = device == DEVICE_CPU, half = spec.resources().precision() == PRECISION_BF16;
  const double micro_batch = static_cast<double>(MicroBatch(spec, num_ranks));
  const double encodings = static_cast<double>(EachView(spec).size()) * spec.mask().groups();
  RankMemory memory;
  const double state = kFloat * (all + 2 * trained + averaged);
  memory.process = (cpu ? kCpuProcessBytes : kCudaProcessBytes) + static_cast<int64_t>(kStateLoss * state);
  memory.weights = static_cast<int64_t>(kFloat * all + (half ? kHalf * all * encodings : 0));
  memory.gradients = static_cast<int64_t>(kFloat * trained);
  memory.moments = static_cast<int64_t>(2 * kFloat * trained);
  memory.averages = static_cast<int64_t>(kFloat * averaged);
  memory.activations = static_cast<int64_t>(ActivationBytes(spec, num_ranks, device, micro_batch));
  // One is used and one is made beside those that wait.
  const double steps_of_images = limits::kBatchesPrefetched + 2;
  const double share = static_cast<double>(spec.data().global_batch()) / num_ranks;
  memory.images = cpu ? static_cast<int64_t>(steps_of_images * share * ImagePixels(spec)) : 0;
  // Copied where it is; on a CPU it is then written beside that copy.
  memory.checkpoint = static_cast<int64_t>((cpu ? 2 : 1) * state);
  memory.gradients_beside_activations = num_ranks > 1 || AccumulationSteps(spec, num_ranks) > 1;
  const int64_t every = spec.checkpoint().every_steps();
  memory.checkpoint_beside_steps = every > 0 && (total_steps == 0 || every < total_steps);
  return memory;
}

int64_t LargestMicroBatch(const JobSpec& spec, int num_ranks, Device device, int64_t total_steps,
                          const TeacherWidths& teachers, int64_t bytes, double scale) {
  const int64_t share = MicroBatch(spec, num_ranks) * AccumulationSteps(spec, num_ranks);
  RankMemory memory = EstimateRankMemory(spec, num_ranks, device, total_steps, teachers);
  for (int64_t micro_batch = share; micro_batch > 0; --micro_batch) {
    if (share % micro_batch != 0) continue;
    memory.activations = static_cast<int64_t>(scale * ActivationBytes(spec, num_ranks, device, 1.0 * micro_batch));
    if (memory.Peak() <= bytes) return micro_batch;
  }
  return 0;
}

}  // namespace mimeo
