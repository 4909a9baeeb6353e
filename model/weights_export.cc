#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/vit_encoder.h"
#include "model/vit_layout.h"
#include "model/weights.h"

namespace mimeo {
namespace {

std::string JobText(const JobSpec& spec) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(spec, &text);
  return text;
}


// The encoder's tensors under Hugging Face's names; query, key and value apart.
absl::StatusOr<NamedTensors> HfVitTensors(const NamedTensors& checkpoint, const JobSpec& spec) {
  const VitSpec& vit = spec.encoder().vit();
  Parameters expected = Parameters::Unset();
  const VitEncoder encoder(vit, spec.data().image_px(), /*norm_epsilon=*/1e-6, &expected);
  const VitLayout layout = HfVitLayout(vit.depth());
  NamedTensors tensors;
  std::vector<std::string> problems;
  for (const KeyRule& rule : layout.Rules()) {
    const auto found = checkpoint.find(rule.parameter);
    const at::IntArrayRef shape = expected.Find(rule.parameter).sizes();
    if (found == checkpoint.end()) {
      problems.push_back(absl::StrCat("missing key ", rule.parameter, ", shape [", absl::StrJoin(shape, ", "), "]"));
    } else if (found->second.sizes() != shape) {
      problems.push_back(absl::StrCat("key ", rule.parameter, " has shape [", absl::StrJoin(found->second.sizes(), ", "),
                                      "], should be [", absl::StrJoin(shape, ", "), "]"));
    } else {
      const std::vector<at::Tensor> parts = found->second.detach().to(at::kFloat).chunk(static_cast<int64_t>(rule.sources.size()));
      for (size_t i = 0; i < parts.size(); ++i) tensors[rule.sources[i]] = parts[i];
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrCat("checkpoint: ", absl::StrJoin(problems, "\ncheckpoint: ")));
  tensors[layout.Positions()] = SinCosPositions(encoder.grid(), vit.width()).unsqueeze(0);
  return tensors;
}

std::string HfVitConfig(const JobSpec& spec) {
  const VitSpec& vit = spec.encoder().vit();
  const nlohmann::ordered_json config = {
      {"architectures", {"ViTModel"}},
      {"model_type", "vit"},
      {"hidden_size", vit.width()},
      {"num_hidden_layers", vit.depth()},
      {"num_attention_heads", vit.heads()},
      {"intermediate_size", MlpWidth(vit)},
      {"hidden_act", "gelu"},
      {"hidden_dropout_prob", 0.0},
      {"attention_probs_dropout_prob", 0.0},
      {"layer_norm_eps", 1e-6},
      {"image_size", spec.data().image_px()},
      {"patch_size", vit.patch_px()},
      {"num_channels", 3},
      {"qkv_bias", true},
      {"torch_dtype", "float32"},
  };
  return config.dump(2) + "\n";
}

// The evaluation crop of `mimeo embed`: short side to 256/224 of the size, then the centre.
std::string PreprocessorConfig(int image_px) {
  const PixelStatistics statistics = ImageNetStatistics();
  const auto rounded = [](float x) { return std::round(x * 1e6) / 1e6; };
  const auto three = [&](const float* x) { return nlohmann::ordered_json{rounded(x[0]), rounded(x[1]), rounded(x[2])}; };
  const nlohmann::ordered_json config = {
      {"image_processor_type", "BitImageProcessor"},
      {"do_convert_rgb", true},
      {"do_resize", true},
      {"size", {{"shortest_edge", static_cast<int>(std::lround(image_px * 256.0 / 224.0))}}},
      {"resample", 3},
      {"do_center_crop", true},
      {"crop_size", {{"height", image_px}, {"width", image_px}}},
      {"do_rescale", true},
      {"rescale_factor", 1.0 / 255.0},
      {"do_normalize", true},
      {"image_mean", three(statistics.mean)},
      {"image_std", three(statistics.std)},
  };
  return config.dump(2) + "\n";
}

}  // namespace

absl::Status ExportHfVit(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_dir) {
  const at::NoGradGuard no_grad;
  ASSIGN_OR_RETURN(const NamedTensors tensors, HfVitTensors(checkpoint, spec));
  RETURN_IF_ERROR(MakeDirs(out_dir));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(out_dir, "config.json"), HfVitConfig(spec)));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(out_dir, "preprocessor_config.json"), PreprocessorConfig(spec.data().image_px())));
  return WriteSafetensors(JoinPath(out_dir, "model.safetensors"), tensors, {{"format", "pt"}, {"job", JobText(spec)}});
}

absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path) {
  NamedTensors model;
  for (const auto& [name, tensor] : checkpoint) {
    if (absl::StartsWith(name, "encoder.") || absl::StartsWith(name, "objective.")) model.emplace(name, tensor);
  }
  return WriteSafetensors(out_path, model, {{"format", "pt"}, {"job", JobText(spec)}});
}

}  // namespace mimeo
