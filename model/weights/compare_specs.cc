#include "model/weights/compare_specs.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/vit_encoder.h"

namespace mimeo {
namespace {

class Comparer {
 public:
  explicit Comparer(SpecComparison* comparison) : comparison_(comparison) {}

  template <typename T>
  void Same(const char* field, const T& file, const T& job) {
    if (file == job) return;
    comparison_->problems.push_back(
        absl::StrCat("it has ", Text(file), " for ", field, "; this encoder has ", Text(job)));
  }
  // What the file does not state was assumed; then the job knows better.
  template <typename T>
  void SameIf(bool stated, const char* field, const T& file, const T& job) {
    if (stated) return Same(field, file, job);
    Differs(field, file, job);
  }
  template <typename T>
  void Differs(const char* field, const T& file, const T& job) {
    if (file != job) {
      comparison_->notes.push_back(
          absl::StrCat(field, ": ", Text(job), ", the job's; the file was read with ", Text(file)));
    }
  }

 private:
  static std::string Text(bool value) { return value ? "true" : "false"; }
  static std::string Text(int value) { return absl::StrCat(value); }
  static std::string Text(double value) { return absl::StrCat(value); }
  static std::string Text(const std::string& value) { return value; }

  SpecComparison* comparison_;
};

void CompareVits(const Description& file, const VitSpec& job, const std::string& positions_key, Comparer* comparer,
                 SpecComparison* comparison) {
  const VitSpec& vit = file.spec.vit();
  comparer->Same("encoder.vit.patch_px", vit.patch_px(), job.patch_px());
  comparer->Same("encoder.vit.width", vit.width(), job.width());
  comparer->Same("encoder.vit.depth", vit.depth(), job.depth());
  comparer->SameIf(file.heads_stated, "encoder.vit.heads", vit.heads(), job.heads());
  comparer->Same("the hidden layer of encoder.vit.mlp_ratio", MlpWidth(vit.width(), vit.mlp_ratio()),
                 MlpWidth(job.width(), job.mlp_ratio()));
  comparer->Same("encoder.vit.class_token", vit.class_token(), job.class_token());
  comparer->SameIf(file.activation_stated, "encoder.vit.activation", Activation_Name(vit.activation()),
                   Activation_Name(job.activation()));
  comparer->Same("encoder.vit.pre_norm", vit.pre_norm(), job.pre_norm());
  comparer->Same("encoder.vit.patch_bias", vit.patch_bias(), job.patch_bias());
  comparer->Same("encoder.vit.qkv_bias", vit.qkv_bias(), job.qkv_bias());
  comparer->Same("encoder.vit.layer_scale above 0", vit.layer_scale() > 0, job.layer_scale() > 0);
  comparer->Same("encoder.vit.register_tokens", vit.register_tokens(), job.register_tokens());
  comparer->Differs("encoder.vit.norm_epsilon", vit.norm_epsilon(), job.norm_epsilon());
  if (job.positions() == POSITIONS_SINE_COSINE && vit.positions() == POSITIONS_LEARNED) {
    comparison->problems.push_back(
        absl::StrCat(positions_key,
                     " are not sine-cosine positions, and this encoder keeps those fixed: set "
                     "encoder.vit.positions to POSITIONS_LEARNED"));
  }
}

void CompareConvVits(const Description& file, const ConvVitSpec& job, Comparer* comparer) {
  const ConvVitSpec& conv = file.spec.conv_vit();
  comparer->Same("encoder.conv_vit.stem_px", conv.stem_px(), job.stem_px());
  comparer->Same("encoder.conv_vit.stage_width", absl::StrJoin(conv.stage_width(), ", "),
                 absl::StrJoin(job.stage_width(), ", "));
  comparer->Same("encoder.conv_vit.stage_depth", absl::StrJoin(conv.stage_depth(), ", "),
                 absl::StrJoin(job.stage_depth(), ", "));
  comparer->Same("encoder.conv_vit.width", conv.width(), job.width());
  comparer->Same("encoder.conv_vit.depth", conv.depth(), job.depth());
  comparer->SameIf(file.heads_stated, "encoder.conv_vit.heads", conv.heads(), job.heads());
  comparer->Same("the hidden layer of encoder.conv_vit.mlp_ratio", MlpWidth(conv.width(), conv.mlp_ratio()),
                 MlpWidth(job.width(), job.mlp_ratio()));
  comparer->Same("encoder.conv_vit.class_token", conv.class_token(), job.class_token());
}

}  // namespace

SpecComparison CompareSpecs(const Description& file, const EncoderSpec& job, const ImageShape& image,
                            const std::string& positions_key) {
  SpecComparison comparison;
  Comparer comparer(&comparison);
  comparer.Same("data.channels", file.image.channels, image.channels);
  if (file.spec.kind_case() != job.kind_case()) {
    comparer.Same<std::string>("encoder", file.spec.has_vit() ? "a ViT" : "a ConvViT",
                               job.has_vit() ? "a ViT" : "a ConvViT");
  } else if (job.has_vit()) {
    CompareVits(file, job.vit(), positions_key, &comparer, &comparison);
  } else {
    CompareConvVits(file, job.conv_vit(), &comparer);
  }
  return comparison;
}

}  // namespace mimeo
