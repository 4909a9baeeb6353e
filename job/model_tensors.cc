#include "job/model_tensors.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

// Collects tensors under a prefix.
class Tensors {
 public:
  void Add(const std::string& name, std::vector<int64_t> shape, bool trained = true) {
    tensors_.push_back({name, std::move(shape), trained});
  }
  void Linear(const std::string& name, int64_t in, int64_t out, bool bias = true) {
    Add(name + ".weight", {out, in});
    if (bias) Add(name + ".bias", {out});
  }
  void Norm(const std::string& name, int64_t width) {
    Add(name + ".weight", {width});
    Add(name + ".bias", {width});
  }
  void Convolution(const std::string& name, int64_t in, int64_t out, int64_t side) {
    Add(name + ".weight", {out, in, side, side});
    Add(name + ".bias", {out});
  }
  std::vector<ModelTensor> Take() { return std::move(tensors_); }

 private:
  std::vector<ModelTensor> tensors_;
};

// As model/vit_encoder.cc rounds it.
int64_t MlpWidth(int width, double ratio) { return static_cast<int64_t>(width * ratio + 1e-6); }

struct BlockWidths {
  int64_t width = 0;
  int64_t mlp = 0;
  bool qkv_bias = true;
  bool layer_scale = false;
};

void AddBlocks(const std::string& prefix, int depth, const BlockWidths& widths, Tensors* tensors) {
  for (int i = 0; i < depth; ++i) {
    const std::string name = absl::StrCat(prefix, i);
    tensors->Norm(name + ".norm1", widths.width);
    tensors->Linear(name + ".attn.qkv", widths.width, 3 * widths.width, widths.qkv_bias);
    tensors->Linear(name + ".attn.proj", widths.width, widths.width);
    tensors->Norm(name + ".norm2", widths.width);
    tensors->Linear(name + ".mlp.fc1", widths.width, widths.mlp);
    tensors->Linear(name + ".mlp.fc2", widths.mlp, widths.width);
    if (!widths.layer_scale) continue;
    for (const char* scale : {".ls1.gamma", ".ls2.gamma"}) tensors->Add(name + scale, {widths.width});
  }
}

void AddVit(const VitSpec& vit, const DataSpec& data, Tensors* tensors) {
  const int64_t width = vit.width(), p = vit.patch_px();
  const int64_t patches = (data.image_px() / p) * (data.image_width_px() / p);
  if (vit.positions() == POSITIONS_LEARNED) tensors->Add("encoder.pos_embed", {patches + 1, width});
  if (vit.class_token()) tensors->Add("encoder.cls_token", {1, 1, width});
  if (vit.register_tokens() > 0) tensors->Add("encoder.reg_token", {1, vit.register_tokens(), width});
  if (vit.mask_token()) tensors->Add("encoder.mask_token", {1, 1, width});
  const bool trained = !vit.frozen_patch_embedding();
  tensors->Add("encoder.patch_embed.proj.weight", {width, data.channels(), p, p}, trained);
  if (vit.patch_bias()) tensors->Add("encoder.patch_embed.proj.bias", {width}, trained);
  if (vit.pre_norm()) tensors->Norm("encoder.norm_pre", width);
  AddBlocks("encoder.blocks.", vit.depth(),
            {width, MlpWidth(vit.width(), vit.mlp_ratio()), vit.qkv_bias(), vit.layer_scale() != 0}, tensors);
  tensors->Norm("encoder.norm", width);
}

// Stage `number` of two, from 1: its embedding, its blocks, and the convolution that makes tokens of its output.
void AddStage(const ConvVitSpec& conv, int number, int64_t in, Tensors* tensors) {
  const int64_t width = conv.stage_width(number - 1), mlp = MlpWidth(conv.stage_width(number - 1), conv.mlp_ratio());
  const std::string embedding = absl::StrCat("encoder.patch_embed", number);
  tensors->Convolution(embedding + ".proj", in, width, number == 1 ? conv.stem_px() : 2);
  tensors->Norm(embedding + ".norm", width);
  for (int i = 0; i < conv.stage_depth(number - 1); ++i) {
    const std::string name = absl::StrCat("encoder.blocks", number, ".", i);
    tensors->Norm(name + ".norm1", width);
    tensors->Convolution(name + ".conv1", width, width, 1);
    tensors->Convolution(name + ".conv2", width, width, 1);
    tensors->Convolution(name + ".attn", 1, width, 5);
    tensors->Norm(name + ".norm2", width);
    tensors->Convolution(name + ".mlp.fc1", width, mlp, 1);
    tensors->Convolution(name + ".mlp.fc2", mlp, width, 1);
  }
  const int64_t tile_side = number == 1 ? 4 : 2;
  tensors->Convolution(absl::StrCat("encoder.stage", number, "_output_decode"), width, conv.width(), tile_side);
}

void AddConvVit(const ConvVitSpec& conv, const DataSpec& data, Tensors* tensors) {
  const int64_t width = conv.width();
  AddStage(conv, 1, data.channels(), tensors);
  AddStage(conv, 2, conv.stage_width(0), tensors);
  tensors->Convolution("encoder.patch_embed3.proj", conv.stage_width(1), width, 2);
  tensors->Norm("encoder.patch_embed3.norm", width);
  tensors->Linear("encoder.patch_embed4", width, width);
  if (conv.class_token()) tensors->Add("encoder.cls_token", {1, 1, width});
  AddBlocks("encoder.blocks3.", conv.depth(), {width, MlpWidth(conv.width(), conv.mlp_ratio())}, tensors);
  tensors->Norm("encoder.norm", width);
}

void AddEncoder(const EncoderSpec& spec, const DataSpec& data, Tensors* tensors) {
  if (spec.has_conv_vit()) {
    AddConvVit(spec.conv_vit(), data, tensors);
  } else {
    AddVit(spec.vit(), data, tensors);
  }
}

int64_t EncoderWidth(const EncoderSpec& spec) {
  return spec.has_conv_vit() ? spec.conv_vit().width() : spec.vit().width();
}

template <typename Decoder>
void AddDecoder(const Decoder& decoder, int64_t encoder_width, int64_t values, const std::string& prefix,
                Tensors* tensors) {
  const int64_t width = decoder.decoder_width();
  tensors->Linear(prefix + "decoder_embed", encoder_width, width);
  tensors->Add(prefix + "mask_token", {1, 1, width});
  AddBlocks(prefix + "decoder_blocks.", decoder.decoder_depth(), {width, 4 * width}, tensors);
  tensors->Norm(prefix + "decoder_norm", width);
  tensors->Linear(prefix + "decoder_pred", width, values);
}

// Linear layers of these widths; with batch norm after each but, where the end is plain, the last.
void AddLayers(const std::string& prefix, const std::vector<int64_t>& widths, bool batch_norm, bool norm_at_end,
               Tensors* tensors) {
  for (size_t i = 1; i < widths.size(); ++i) {
    const bool last = i + 1 == widths.size(), normed = batch_norm && (!last || norm_at_end);
    tensors->Linear(absl::StrCat(prefix, "fc", i), widths[i - 1], widths[i], /*bias=*/!normed);
    if (normed && !last) tensors->Norm(absl::StrCat(prefix, "norm", i), widths[i]);
  }
}

void AddProjector(const ContrastiveSpec& spec, int64_t width, const std::string& prefix, Tensors* tensors) {
  std::vector<int64_t> widths = {width};
  widths.insert(widths.end(), spec.projector().hidden_width().begin(), spec.projector().hidden_width().end());
  widths.push_back(spec.projector().width());
  AddLayers(prefix + "projector.", widths, spec.projector().batch_norm(), /*norm_at_end=*/true, tensors);
}

void AddPrototypes(const SelfDistillationSpec& spec, int64_t width, const std::string& prefix, Tensors* tensors) {
  std::vector<int64_t> widths = {width};
  widths.insert(widths.end(), spec.hidden_width().begin(), spec.hidden_width().end());
  widths.push_back(spec.bottleneck_width());
  AddLayers(prefix + "head.", widths, /*batch_norm=*/false, /*norm_at_end=*/false, tensors);
  tensors->Add(prefix + "prototypes", {spec.num_prototypes(), spec.bottleneck_width()});
}

void AddMimic(const MimicSpec& spec, int64_t width, int64_t teacher_width, const std::string& prefix,
              Tensors* tensors) {
  if (spec.tokens() != MIMIC_TOKENS_HIDDEN) tensors->Linear(prefix + "head", width, teacher_width);
  if (spec.tokens() != MIMIC_TOKENS_VISIBLE) AddDecoder(spec, width, teacher_width, prefix, tensors);
  if (spec.student_layer().empty()) return;
  tensors->Add(prefix + "fusion.weight", {spec.student_layer_size()});
  for (const int block : spec.student_layer()) tensors->Norm(absl::StrCat(prefix, "fusion.norm", block), width);
}

// As ObjectiveSum::Create names them.
std::string HeadOf(const ObjectiveSpec& objective) { return absl::StrCat("objective.", objective.name()); }

void AddObjective(const JobSpec& spec, const ObjectiveSpec& objective, const TeacherWidths& teachers,
                  Tensors* tensors) {
  const std::string prefix = HeadOf(objective) + ".";
  const int64_t width = EncoderWidth(spec.encoder());
  if (objective.has_reconstruction()) {
    const int64_t pixels = int64_t{spec.data().channels()} * PatchPx(spec) * PatchPx(spec);
    if (objective.reconstruction().linear()) {
      tensors->Linear(prefix + "pred", width, pixels);
    } else {
      AddDecoder(objective.reconstruction(), width, pixels, prefix, tensors);
    }
  } else if (objective.has_mimic()) {
    const auto teacher = teachers.find(objective.name());
    AddMimic(objective.mimic(), width, teacher == teachers.end() ? kUsualTeacherWidth : teacher->second, prefix,
             tensors);
  } else if (objective.has_contrastive()) {
    const ContrastiveSpec& contrastive = objective.contrastive();
    AddProjector(contrastive, width, prefix, tensors);
    if (!contrastive.has_predictor()) return;
    AddLayers(
        prefix + "predictor.",
        {contrastive.projector().width(), contrastive.predictor().hidden_width(), contrastive.projector().width()},
        contrastive.projector().batch_norm(), contrastive.predictor().final_norm(), tensors);
  } else if (objective.has_self_distillation()) {
    AddPrototypes(objective.self_distillation(), width, prefix, tensors);
  }
}

}  // namespace

int64_t ModelTensor::size() const {
  int64_t size = 1;
  for (const int64_t length : shape) size *= length;
  return size;
}

std::vector<ModelTensor> EncoderTensors(const EncoderSpec& spec, const DataSpec& data) {
  Tensors tensors;
  AddEncoder(spec, data, &tensors);
  return tensors.Take();
}

std::vector<ModelTensor> ModelTensors(const JobSpec& spec, const TeacherWidths& teachers) {
  Tensors tensors;
  AddEncoder(spec.encoder(), spec.data(), &tensors);
  for (const ObjectiveSpec& objective : spec.objective()) AddObjective(spec, objective, teachers, &tensors);
  return tensors.Take();
}

std::vector<ModelTensor> AverageTensors(const JobSpec& spec) {
  if (!spec.has_ema()) return {};
  Tensors tensors;
  AddEncoder(spec.encoder(), spec.data(), &tensors);
  const int64_t width = EncoderWidth(spec.encoder());
  for (const ObjectiveSpec& objective : spec.objective()) {
    const std::string prefix = HeadOf(objective) + ".";
    if (objective.contrastive().average_target()) AddProjector(objective.contrastive(), width, prefix, &tensors);
    if (!objective.has_self_distillation()) continue;
    AddPrototypes(objective.self_distillation(), width, prefix, &tensors);
    tensors.Add(prefix + "center", {objective.self_distillation().num_prototypes()});
  }
  return tensors.Take();
}

std::string CohortOf(const JobSpec& spec, const std::string& name) {
  for (const ObjectiveSpec& objective : spec.objective()) {
    const std::string head = HeadOf(objective);
    if (!absl::StartsWith(name, absl::StrCat(head, "."))) continue;
    if (name == head + ".prototypes" && objective.self_distillation().frozen_prototypes() > 0) return name;
    if (objective.has_weight_schedule() && objective.weight_schedule().final_weight() == 0) return head;
  }
  return "";
}

}  // namespace mimeo
