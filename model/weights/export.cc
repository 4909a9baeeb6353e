#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <google/protobuf/text_format.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/finite.h"
#include "model/weights.h"
#include "model/weights/description.h"
#include "model/weights/export_config.h"
#include "model/weights/export_rules.h"
#include "model/weights/shapes_of.h"

namespace mimeo {
namespace {

constexpr absl::string_view kEncoder = "encoder.";
constexpr char kPositions[] = "encoder.pos_embed";

std::string JobText(const JobSpec& spec) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(spec, &text);
  return text;
}

// One export: from a checkpoint to tensors under the layout's names.
class Exporter {
 public:
  Exporter(WeightsLayout layout, const NamedTensors& checkpoint, const JobSpec& spec)
      : layout_(layout),
        names_(ExportedNames(layout)),
        checkpoint_(checkpoint),
        spec_(spec),
        expected_(Parameters::Unset()),
        encoder_(MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &expected_)) {}

  absl::StatusOr<NamedTensors> Run() {
    const std::vector<KeyRule> rules =
        spec_.encoder().has_vit() ? names_.Rules(PartsOf(spec_.encoder().vit())) : McmaeRules();
    for (const KeyRule& rule : rules) AddParts(rule);
    AddPositions();
    if (!names_.MaskToken().empty()) tensors_[names_.MaskToken()] = at::zeros({1, encoder_->width()});
    if (layout_ == WeightsLayout::kMae || layout_ == WeightsLayout::kHfVitMae) AddDecoder();
    if (!problems_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("checkpoint: ", absl::StrJoin(problems_, "\ncheckpoint: ")));
    }
    return std::move(tensors_);
  }

  bool no_embed_class() const { return no_embed_class_; }

 private:
  std::vector<KeyRule> McmaeRules() const {
    std::vector<KeyRule> rules;
    for (const auto& [name, tensor] : expected_.all()) rules.push_back({name, {name.substr(kEncoder.size())}});
    return rules;
  }

  // As float32; undefined and a problem: it is absent or has another shape.
  at::Tensor Take(const std::string& name, at::IntArrayRef shape) {
    const auto found = checkpoint_.find(name);
    if (found == checkpoint_.end()) {
      problems_.push_back(absl::StrCat("missing key ", name, ", shape ", ShapeText(shape)));
    } else if (found->second.sizes() != shape) {
      problems_.push_back(absl::StrCat("key ", name, " has shape ", ShapeText(found->second.sizes()), ", should be ",
                                       ShapeText(shape)));
    } else if (const std::string not_finite = NotFinite(found->second); !not_finite.empty()) {
      problems_.push_back(absl::StrCat("key ", name, " holds ", not_finite));
    } else {
      return found->second.detach().to(at::kCPU, at::kFloat);
    }
    return at::Tensor();
  }

  void AddParts(const KeyRule& rule) {
    at::Tensor tensor = Take(rule.parameter, expected_.Find(rule.parameter).sizes());
    if (!tensor.defined()) return;
    if (names_.HasFlatTokens() && rule.parameter == "encoder.cls_token") tensor = tensor.flatten();
    const std::vector<at::Tensor> parts = tensor.chunk(static_cast<int64_t>(rule.sources.size()));
    for (size_t i = 0; i < parts.size(); ++i) tensors_[rule.sources[i]] = parts[i];
  }

  // Fixed positions need not be in the checkpoint.
  void AddPositions() {
    at::Tensor positions_LD = expected_.Find(kPositions);
    if (checkpoint_.count(kPositions) > 0 || spec_.encoder().vit().positions() == POSITIONS_LEARNED) {
      positions_LD = Take(kPositions, positions_LD.sizes());
    }
    if (!positions_LD.defined()) return;
    if (names_.HasFlatTokens()) {
      tensors_[names_.Positions()] = positions_LD;
      return;
    }
    const int registers = spec_.encoder().vit().register_tokens();
    const bool zero_row = positions_LD.slice(0, 0, 1).count_nonzero().item<int64_t>() == 0;
    no_embed_class_ = layout_ == WeightsLayout::kTimm && (!encoder_->has_class_token() || (registers > 0 && zero_row));
    if (no_embed_class_ || !encoder_->has_class_token()) {
      positions_LD = positions_LD.slice(0, 1);
    } else if (layout_ == WeightsLayout::kTimm && registers > 0) {
      // timm adds positions to register tokens too.
      positions_LD = at::cat(
          {positions_LD.slice(0, 0, 1), at::zeros({registers, positions_LD.size(1)}), positions_LD.slice(0, 1)});
    }
    tensors_[names_.Positions()] = positions_LD.unsqueeze(0);
  }

  // MAE's decoder: Mimeo has its names after "objective.NAME.".
  void AddDecoder() {
    const ObjectiveSpec* objective = OnlyReconstruction(spec_);
    if (objective == nullptr) return;
    const std::string prefix = absl::StrCat("objective.", objective->name(), ".");
    for (const auto& [name, tensor] : checkpoint_) {
      if (!absl::StartsWith(name, prefix)) continue;
      const std::string mae = name.substr(prefix.size());
      if (mae != "mask_token" && !absl::StartsWith(mae, "decoder_")) continue;
      AddDecoderTensor(mae, tensor.detach().to(at::kCPU, at::kFloat));
    }
    if (tensors_.count(layout_ == WeightsLayout::kMae ? "decoder_embed.weight" : "decoder.decoder_embed.weight") == 0) {
      problems_.push_back(
          absl::StrCat("no keys ", prefix, "decoder_*: it lacks the decoder of objective ", objective->name()));
    }
    const int width = objective->reconstruction().decoder_width();
    AddDecoderTensor("decoder_pos_embed", SinCosPositions(encoder_->grid(), width).unsqueeze(0));
  }

  void AddDecoderTensor(const std::string& mae, const at::Tensor& tensor) {
    if (layout_ == WeightsLayout::kMae) {
      tensors_[mae] = tensor;
      return;
    }
    const std::string name = "decoder." + absl::StrReplaceAll(mae, {{"decoder_blocks.", "decoder_layers."},
                                                                    {".norm1.", ".layernorm_before."},
                                                                    {".norm2.", ".layernorm_after."},
                                                                    {".attn.proj.", ".attention.output.dense."},
                                                                    {".mlp.fc1.", ".intermediate.dense."},
                                                                    {".mlp.fc2.", ".output.dense."}});
    if (!absl::StrContains(name, ".attn.qkv.")) {
      tensors_[name] = tensor;
      return;
    }
    const std::vector<at::Tensor> parts = tensor.chunk(3);
    const char* const part_names[] = {"query", "key", "value"};
    for (size_t i = 0; i < parts.size(); ++i) {
      tensors_[absl::StrReplaceAll(name, {{".attn.qkv.", absl::StrCat(".attention.attention.", part_names[i], ".")}})] =
          parts[i];
    }
  }

  const WeightsLayout layout_;
  const Layout names_;
  const NamedTensors& checkpoint_;
  const JobSpec& spec_;
  Parameters expected_;
  std::unique_ptr<Encoder> encoder_;
  NamedTensors tensors_;
  std::vector<std::string> problems_;
  bool no_embed_class_ = false;
};

}  // namespace

namespace {

// As stored. InvalidArgument: a tensor with values that are not finite, or that are not any more in that type.
absl::StatusOr<NamedTensors> AsType(const NamedTensors& tensors, ExportedType type) {
  NamedTensors typed;
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor stored = type == ExportedType::kFloat32 ? tensor : tensor.to(at::kBFloat16);
    const std::string not_finite = NotFinite(stored);
    if (!not_finite.empty()) {
      problems.push_back(absl::StrCat("checkpoint: key ", name, " holds ", not_finite,
                                      type == ExportedType::kFloat32 ? "" : ", as bfloat16"));
    }
    typed.emplace(name, stored);
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return typed;
}

}  // namespace

absl::Status ExportEncoder(WeightsLayout layout, const NamedTensors& checkpoint, const JobSpec& spec,
                           const std::string& out_dir, ExportedType type) {
  const at::NoGradGuard no_grad;
  const std::vector<std::string> reasons = WhyNotExported(layout, spec);
  if (!reasons.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("layout ", ExportedNames(layout).family,
                                                   " cannot hold this encoder: ", absl::StrJoin(reasons, "; ")));
  }
  Exporter exporter(layout, checkpoint, spec);
  ASSIGN_OR_RETURN(const NamedTensors exported, exporter.Run());
  ASSIGN_OR_RETURN(const NamedTensors tensors, AsType(exported, type));
  RETURN_IF_ERROR(MakeDirs(out_dir));
  const std::string config = ConfigJson(layout, spec, exporter.no_embed_class(), type);
  if (!config.empty()) RETURN_IF_ERROR(WriteFileAtomic(JoinPath(out_dir, "config.json"), config));
  if (!config.empty() && layout != WeightsLayout::kTimm) {
    RETURN_IF_ERROR(WriteFileAtomic(JoinPath(out_dir, "preprocessor_config.json"), PreprocessorJson(spec.data())));
  }
  return WriteSafetensors(JoinPath(out_dir, "model.safetensors"), tensors, {{"format", "pt"}, {"job", JobText(spec)}});
}

EncoderCheckpoint CheckpointOf(const LoadedEncoder& loaded) {
  EncoderCheckpoint checkpoint;
  for (const auto* list : {&loaded.parameters->all(), &loaded.parameters->constants()}) {
    for (const auto& [name, tensor] : *list) checkpoint.tensors.emplace(name, tensor.detach());
  }
  *checkpoint.spec.mutable_encoder() = loaded.spec;
  DataSpec* data = checkpoint.spec.mutable_data();
  data->set_channels(loaded.image.channels), data->set_image_px(loaded.image.height_px),
      data->set_image_width_px(loaded.image.width_px);
  for (const float mean : loaded.statistics.mean) data->add_pixel_mean(mean);
  for (const float std : loaded.statistics.std) data->add_pixel_std(std);
  return checkpoint;
}

absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path,
                               ExportedType type) {
  NamedTensors model;
  for (const auto& [name, tensor] : checkpoint) {
    if (absl::StartsWith(name, "encoder.") || absl::StartsWith(name, "objective.")) model.emplace(name, tensor);
  }
  ASSIGN_OR_RETURN(const NamedTensors tensors, AsType(model, type));
  return WriteSafetensors(out_path, tensors, {{"format", "pt"}, {"job", JobText(spec)}});
}

}  // namespace mimeo
