#include "model/flops.h"

namespace mimeo {
namespace {

constexpr double kFlopPerMultiplyAdd = 2, kGiga = 1e9;

double Square(double x) { return x * x; }

// Multiply-adds of `depth` blocks over `tokens` tokens.
double Blocks(double depth, double tokens, double width, double mlp_ratio) {
  return depth * ((4 + 2 * mlp_ratio) * tokens * Square(width) + 2 * Square(tokens) * width);
}

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
double EncoderMultiplyAdds(const EncoderSpec& spec, const ImageShape& image, double visible, double masks) {
  const EncoderShape shape = ShapeOf(spec);
  const double patches = GridOf(image, shape.patch_px).num_patches(), channels = image.channels;
  if (!spec.has_conv_vit()) {
    const VitSpec& vit = spec.vit();
    const double tokens = visible + shape.class_token + vit.register_tokens();
    const double embedding = patches * channels * Square(vit.patch_px()) * shape.width;
    return masks * (embedding + Blocks(vit.depth(), tokens, shape.width, vit.mlp_ratio()));
  }
  const ConvVitSpec& conv = spec.conv_vit();
  const double blocks = Blocks(conv.depth(), visible + shape.class_token, shape.width, conv.mlp_ratio());
  if (conv.stages() == STAGES_DENSE) return Stages(conv, channels, patches, /*depthwise_passes=*/masks) + masks * blocks;
  return masks * (Stages(conv, channels, visible, /*depthwise_passes=*/1) + blocks);
}

// One view under one mask.
double DecoderMultiplyAdds(const ReconstructionSpec& decoder, const EncoderShape& encoder, const ImageShape& image,
                           double visible) {
  const double patches = GridOf(image, encoder.patch_px).num_patches(), tokens = patches + encoder.class_token;
  const double width = decoder.decoder_width();
  return (visible + encoder.class_token) * encoder.width * width + Blocks(decoder.decoder_depth(), tokens, width, /*mlp_ratio=*/4) +
         tokens * width * image.channels * Square(encoder.patch_px);
}

// Projector and predictor, one encoding.
double ContrastiveMultiplyAdds(const ContrastiveSpec& contrastive, double width) {
  double sum = 0;
  for (const int hidden : contrastive.projector().hidden_width()) {
    sum += width * hidden;
    width = hidden;
  }
  const double projection = contrastive.projector().width();
  sum += width * projection;
  if (contrastive.has_cosine()) sum += 2 * projection * contrastive.cosine().predictor_width();
  return sum;
}

}  // namespace

double TrainGflopPerImage(const JobSpec& spec, int num_visible) {
  const ImageShape image = {spec.data().channels(), spec.data().image_px(), spec.data().image_width_px()};
  const EncoderShape encoder = ShapeOf(spec.encoder());
  const double masks = spec.mask().groups();
  double per_view = EncoderMultiplyAdds(spec.encoder(), image, num_visible, masks);
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_reconstruction()) {
      per_view += masks * DecoderMultiplyAdds(objective.reconstruction(), encoder, image, num_visible);
    } else if (objective.has_contrastive()) {
      per_view += masks * ContrastiveMultiplyAdds(objective.contrastive(), encoder.width);
    }
  }
  constexpr double kForwardAndBackward = 3;
  return per_view * spec.views().count() * kForwardAndBackward * kFlopPerMultiplyAdd / kGiga;
}

double TeacherGflopPerImage(const EncoderSpec& spec, const ImageShape& image) {
  const int patches = GridOf(image, ShapeOf(spec).patch_px).num_patches();
  return EncoderMultiplyAdds(spec, image, patches, /*masks=*/1) * kFlopPerMultiplyAdd / kGiga;
}

}  // namespace mimeo
