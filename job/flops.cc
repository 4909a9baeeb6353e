#include "job/flops.h"

#include <vector>

#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr double kFlopPerMultiplyAdd = 2, kGiga = 1e9;

double Square(double x) { return x * x; }

// Multiply-adds of `depth` blocks over `tokens` tokens.
double Blocks(double depth, double tokens, double width, double mlp_ratio) {
  return depth * ((4 + 2 * mlp_ratio) * tokens * Square(width) + 2 * Square(tokens) * width);
}

// What is encoded: a training crop or a small view.
struct Picture {
  double channels = 0;
  double patches = 0;
};

// What the rest of the model sees of an encoder.
struct EncoderShape {
  int patch_px = 0;
  int width = 0;
  bool class_token = false;
};

EncoderShape ShapeOf(const EncoderSpec& spec) {
  if (!spec.has_conv_vit()) return {spec.vit().patch_px(), spec.vit().width(), spec.vit().class_token()};
  return {4 * spec.conv_vit().stem_px(), spec.conv_vit().width(), spec.conv_vit().class_token()};
}

Picture PictureOf(const EncoderSpec& spec, int channels, int height_px, int width_px) {
  const int patch_px = ShapeOf(spec).patch_px;
  const int64_t patches_down = height_px / patch_px, patches_across = width_px / patch_px;
  return {static_cast<double>(channels), static_cast<double>(patches_down * patches_across)};
}

// A patch is 4 x 4 places of the first stage, 2 x 2 of the second and 1 after them.
double Stages(const ConvVitSpec& spec, double channels, double patches, double depthwise_passes) {
  double in = channels * Square(spec.stem_px()), sum = 0, places = 16 * patches;
  for (const int i : {0, 1}) {
    const double width = spec.stage_width(i);
    const double block = (2 + 2 * spec.mlp_ratio()) * Square(width) + 25 * width * depthwise_passes;
    sum += places * (in * width + spec.stage_depth(i) * block + width * spec.width());
    in = 4 * width;  // the next embedding takes 2 x 2 places
    places /= 4;
  }
  return sum + patches * (in * spec.width() + Square(spec.width()));
}

// One view under `masks` masks of `visible` patches each.
double EncoderMultiplyAdds(const EncoderSpec& spec, const Picture& picture, double visible, double masks) {
  const EncoderShape shape = ShapeOf(spec);
  const double patches = picture.patches, channels = picture.channels;
  if (!spec.has_conv_vit()) {
    const VitSpec& vit = spec.vit();
    const double tokens = visible + shape.class_token + vit.register_tokens();
    const double embedding = patches * channels * Square(vit.patch_px()) * shape.width;
    return masks * (embedding + Blocks(vit.depth(), tokens, shape.width, vit.mlp_ratio()));
  }
  const ConvVitSpec& conv = spec.conv_vit();
  const double blocks = Blocks(conv.depth(), visible + shape.class_token, shape.width, conv.mlp_ratio());
  if (conv.stages() == STAGES_DENSE) {
    return Stages(conv, channels, patches, /*depthwise_passes=*/masks) + masks * blocks;
  }
  return masks * (Stages(conv, channels, visible, /*depthwise_passes=*/1) + blocks);
}

// One view under one mask.
template <typename Spec>
double DecoderMultiplyAdds(const Spec& decoder, double num_values, const EncoderShape& encoder, double patches,
                           double visible) {
  const double tokens = patches + encoder.class_token, width = decoder.decoder_width();
  return (visible + encoder.class_token) * encoder.width * width +
         Blocks(decoder.decoder_depth(), tokens, width, /*mlp_ratio=*/4) + tokens * width * num_values;
}

// Layers of these widths, one row.
double LayersMultiplyAdds(const std::vector<double>& widths) {
  double sum = 0;
  for (size_t i = 1; i < widths.size(); ++i) sum += widths[i - 1] * widths[i];
  return sum;
}

template <typename Hidden>
std::vector<double> Widths(double in, const Hidden& hidden, double out) {
  std::vector<double> widths = {in};
  widths.insert(widths.end(), hidden.begin(), hidden.end());
  widths.push_back(out);
  return widths;
}

// The head of one encoding; without `predictor` that of a target.
double HeadMultiplyAdds(const ObjectiveSpec& objective, double width, bool predictor) {
  if (objective.has_self_distillation()) {
    const SelfDistillationSpec& dino = objective.self_distillation();
    const double bottleneck = dino.bottleneck_width();
    return LayersMultiplyAdds(Widths(width, dino.hidden_width(), bottleneck)) + bottleneck * dino.num_prototypes();
  }
  if (!objective.has_contrastive()) return 0;
  const ContrastiveSpec& contrastive = objective.contrastive();
  const double projection = contrastive.projector().width();
  const double projector = LayersMultiplyAdds(Widths(width, contrastive.projector().hidden_width(), projection));
  return projector +
         (predictor && contrastive.has_predictor() ? 2 * projection * contrastive.predictor().hidden_width() : 0);
}

bool WantsAverages(const ObjectiveSpec& objective) {
  return objective.has_self_distillation() || objective.contrastive().average_target();
}

// One view, all of its masks, of what is trained.
double ViewMultiplyAdds(const JobSpec& spec, const Picture& picture, double visible) {
  const EncoderShape encoder = ShapeOf(spec.encoder());
  const double masks = spec.mask().groups(), patches = picture.patches;
  const double encoded = spec.encoder().vit().mask_token() ? patches : visible;
  const double pixels = picture.channels * Square(encoder.patch_px);
  double sum = EncoderMultiplyAdds(spec.encoder(), picture, encoded, masks);
  for (const ObjectiveSpec& objective : spec.objective()) {
    sum += masks * HeadMultiplyAdds(objective, encoder.width, /*predictor=*/true);
    if (objective.mimic().has_decoder_width()) {
      sum += masks * DecoderMultiplyAdds(objective.mimic(), /*num_values=*/0, encoder, patches, visible);
    }
    if (!objective.has_reconstruction()) continue;
    const ReconstructionSpec& decoder = objective.reconstruction();
    sum += masks * (decoder.linear() ? (patches - visible) * encoder.width * pixels
                                     : DecoderMultiplyAdds(decoder, pixels, encoder, patches, visible));
  }
  return sum;
}

// The averaged network's forward pass over one whole view; 0 where no objective compares with it.
double TargetMultiplyAdds(const JobSpec& spec, const Picture& picture) {
  const EncoderShape encoder = ShapeOf(spec.encoder());
  double heads = 0;
  bool wanted = false;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!WantsAverages(objective)) continue;
    wanted = true;
    heads += HeadMultiplyAdds(objective, encoder.width, /*predictor=*/false);
  }
  return wanted ? EncoderMultiplyAdds(spec.encoder(), picture, picture.patches, /*masks=*/1) + heads : 0;
}

}  // namespace

double TrainGflopPerImage(const JobSpec& spec, int num_visible) {
  constexpr double kForwardAndBackward = 3;
  double sum = 0;
  for (const ViewSpec& views : spec.views()) {
    const Picture picture = PictureOf(spec.encoder(), spec.data().channels(), views.image_px(), views.image_width_px());
    const bool is_full = IsFullSize(views, spec.data());
    const double visible = is_full ? num_visible : picture.patches;
    const double target = is_full ? TargetMultiplyAdds(spec, picture) : 0;
    sum += views.count() * (kForwardAndBackward * ViewMultiplyAdds(spec, picture, visible) + target);
  }
  return sum * kFlopPerMultiplyAdd / kGiga;
}

double TeacherGflopPerImage(const EncoderSpec& spec, const DataSpec& data) {
  const Picture picture = PictureOf(spec, data.channels(), data.image_px(), data.image_width_px());
  return EncoderMultiplyAdds(spec, picture, picture.patches, /*masks=*/1) * kFlopPerMultiplyAdd / kGiga;
}

}  // namespace mimeo
