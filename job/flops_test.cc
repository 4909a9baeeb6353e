#include "job/flops.h"

#include <gtest/gtest.h>

#include "model/testing/conv_vit_spec.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

constexpr double kTrain = 6;  // FLOP per multiply-add, forward and backward

EncoderSpec Vit(int patch_px, int width, int depth) {
  EncoderSpec spec;
  *spec.mutable_vit() = testing::PlainVit(patch_px, width, depth, width / 64);
  return spec;
}

EncoderSpec McmaeB(StageEvaluation stages) {
  EncoderSpec spec;
  *spec.mutable_conv_vit() = testing::PlainConvVit({}, stages);
  return spec;
}

// Of the training crops, and so of full-size views.
void Resize(int height_px, int width_px, JobSpec* spec) {
  spec->mutable_data()->set_image_px(height_px), spec->mutable_data()->set_image_width_px(width_px);
  spec->mutable_views(0)->set_image_px(height_px), spec->mutable_views(0)->set_image_width_px(width_px);
}

// With MAE's decoder.
JobSpec Job(const EncoderSpec& encoder, int views = 1, int groups = 1) {
  JobSpec spec;
  *spec.mutable_data() = testing::PlainData(224);
  *spec.mutable_encoder() = encoder;
  spec.add_views()->set_count(views);
  Resize(224, 224, &spec);
  spec.mutable_mask()->set_groups(groups);
  ReconstructionSpec* decoder = spec.add_objective()->mutable_reconstruction();
  decoder->set_decoder_width(512), decoder->set_decoder_depth(8), decoder->set_decoder_heads(16);
  return spec;
}

// GFLOP of a training step, counted independently by tensor shapes; MAE's S, B, L and H, and B at hidden fraction 0.8.
TEST(FlopsTest, PublishedMaes) {
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 384, 12)), 49), 39.0, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 768, 12)), 49), 58.7, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 1024, 24)), 49), 124.5, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(14, 1280, 32)), 64), 291.4, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 768, 12)), 39), 53.5, 0.05);
}

TEST(FlopsTest, ViewsMultiplyAndADecoderIsOptional) {
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 768, 12), 2), 39), 106.9, 0.05);
  JobSpec encoder_only = Job(Vit(16, 768, 12));
  encoder_only.clear_objective();
  EXPECT_NEAR(TrainGflopPerImage(encoder_only, 49), kTrain * (0.1156 + 4.2928), 0.01);
}

// A decoder of features costs what one of pixels costs but for its last layer, which is not counted: its width is the
// teacher's.
TEST(FlopsTest, AMimicsDecoderIsCounted) {
  JobSpec spec = Job(Vit(16, 768, 12));
  const double pixels = TrainGflopPerImage(spec, 49);
  MimicSpec* mimic = spec.add_objective()->mutable_mimic();
  EXPECT_EQ(TrainGflopPerImage(spec, 49), pixels);
  mimic->set_decoder_width(512), mimic->set_decoder_depth(8), mimic->set_decoder_heads(16);
  const double with_features = TrainGflopPerImage(spec, 49);
  spec.mutable_objective(1)->clear_mimic(), spec.mutable_objective()->SwapElements(0, 1),
      spec.mutable_objective()->RemoveLast();
  const double encoder = TrainGflopPerImage(spec, 49);
  EXPECT_NEAR(with_features - pixels, pixels - encoder - kTrain * 197 * 512 * 768 / 1e9, 1e-6);
}

TEST(FlopsTest, AContrastiveProjectorPerView) {
  JobSpec spec = Job(Vit(16, 768, 12), 2);
  ContrastiveSpec* contrastive = spec.add_objective()->mutable_contrastive();
  contrastive->mutable_info_nce()->set_temperature(0.1);
  contrastive->mutable_projector()->add_hidden_width(4096);
  contrastive->mutable_projector()->add_hidden_width(4096);
  contrastive->mutable_projector()->set_width(128);
  EXPECT_NEAR(TrainGflopPerImage(spec, 39), 106.9 + kTrain * 2 * 0.0204, 0.05);
  const double without_predictor = TrainGflopPerImage(spec, 39);
  contrastive->mutable_cosine();
  contrastive->mutable_predictor()->set_hidden_width(4096);
  EXPECT_NEAR(TrainGflopPerImage(spec, 39) - without_predictor, kTrain * 2 * 2 * 128 * 4096 / 1e9, 1e-6);
}

// MoCo-v3: two views forward and backward, and forward once more through the averages. DINO: small views have no
// target.
TEST(FlopsTest, AveragedTargetsAndSmallViews) {
  JobSpec moco = Job(Vit(16, 768, 12), 2);
  moco.clear_objective();
  const double encoder = TrainGflopPerImage(moco, 196) / 2;
  ContrastiveSpec* contrastive = moco.add_objective()->mutable_contrastive();
  contrastive->mutable_projector()->add_hidden_width(4096), contrastive->mutable_projector()->set_width(256);
  contrastive->mutable_predictor()->set_hidden_width(4096);
  contrastive->set_average_target(true);
  const double projector = 2 * (768.0 * 4096 + 4096 * 256) / 1e9, predictor = 2 * 2 * 256.0 * 4096 / 1e9;
  EXPECT_NEAR(TrainGflopPerImage(moco, 196), 2 * (encoder + 3 * (projector + predictor) + encoder / 3 + projector),
              1e-6);

  JobSpec dino = Job(Vit(16, 384, 12), 2);
  dino.clear_objective();
  SelfDistillationSpec* head = dino.add_objective()->mutable_self_distillation();
  head->set_bottleneck_width(256), head->set_num_prototypes(65536);
  const double full = TrainGflopPerImage(dino, 196);
  ViewSpec* small = dino.add_views();
  small->set_count(8), small->set_image_px(96), small->set_image_width_px(96);
  const double student =
      3 * (TeacherGflopPerImage(Vit(16, 384, 12), testing::PlainData(96)) + 2 * (384.0 * 256 + 256 * 65536) / 1e9);
  EXPECT_NEAR(TrainGflopPerImage(dino, 196) - full, 8 * student, 1e-6);
}

TEST(FlopsTest, AMaskTokensEncoderSeesEveryPatchAndALinearDecoderTheHiddenOnes) {
  JobSpec simmim = Job(Vit(16, 768, 12));
  simmim.mutable_encoder()->mutable_vit()->set_mask_token(true);
  simmim.mutable_objective(0)->mutable_reconstruction()->Clear();
  simmim.mutable_objective(0)->mutable_reconstruction()->set_linear(true);
  EXPECT_NEAR(TrainGflopPerImage(simmim, 76), 3 * (2 * 17.564 + 2 * 120.0 * 768 * 768 / 1e9), 0.02);
}

TEST(FlopsTest, Teachers) {
  EXPECT_NEAR(TeacherGflopPerImage(Vit(16, 768, 12), testing::PlainData(224)), 2 * 17.564,
              0.01);                                                                          // CLIP-B, DINO-B, ViT-B
  EXPECT_NEAR(TeacherGflopPerImage(Vit(16, 384, 12), testing::PlainData(224)), 9.2, 0.05);    // DINO-S
  EXPECT_NEAR(TeacherGflopPerImage(Vit(14, 1024, 24), testing::PlainData(224)), 162.0, 0.1);  // CLIP L/14
  EXPECT_NEAR(3 * TeacherGflopPerImage(Vit(16, 768, 12), testing::PlainData(224)), 105.4, 0.05);  // ViT-B, fine-tuned
  // MR-MAE-B: a student's step and a teacher's forward pass.
  const double student = TrainGflopPerImage(Job(Vit(16, 768, 12)), 49);
  EXPECT_NEAR(student + TeacherGflopPerImage(Vit(16, 768, 12), testing::PlainData(224)), 93.8, 0.1);
  EXPECT_NEAR(student + TeacherGflopPerImage(Vit(16, 384, 12), testing::PlainData(224)), 67.9, 0.1);
}

TEST(FlopsTest, PublishedMcmaes) {
  EXPECT_NEAR(TrainGflopPerImage(Job(McmaeB(STAGES_DENSE)), 49), 103.3, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Job(McmaeB(STAGES_AT_VISIBLE_TILES)), 49), 67.2, 0.05);
  // The classifier's 23.080 GMAC has no fusion convolutions; the encoder keeps them.
  EXPECT_NEAR(TeacherGflopPerImage(McmaeB(STAGES_DENSE), testing::PlainData(224)), 2 * (23.080 + 0.6166 + 0.2312),
              0.01);
}

// FastConvMAE-B: the stages once, but the depthwise convolutions once per mask. Four masks of visible tiles are the
// whole image once, so they cost that less three depthwise passes over it.
TEST(FlopsTest, ComplementaryMasks) {
  const double published = TrainGflopPerImage(Job(McmaeB(STAGES_DENSE), 1, 4), 49);
  EXPECT_NEAR(published, 269.9, 0.05);
  const double tiles = TrainGflopPerImage(Job(McmaeB(STAGES_AT_VISIBLE_TILES), 1, 4), 49);
  EXPECT_NEAR(tiles, 4 * TrainGflopPerImage(Job(McmaeB(STAGES_AT_VISIBLE_TILES)), 49), 1e-9);
  const double depthwise = 2 * 25 * (56 * 56 * 256 + 28 * 28 * 384) / 1e9;
  EXPECT_NEAR(published - tiles, kTrain * 3 * depthwise, 1e-6);
  EXPECT_NEAR(TrainGflopPerImage(Job(Vit(16, 768, 12), 1, 4), 49), 4 * TrainGflopPerImage(Job(Vit(16, 768, 12)), 49),
              1e-9);
}

TEST(FlopsTest, RectanglesOfAnyChannels) {
  for (const EncoderSpec& encoder : {Vit(16, 768, 12), McmaeB(STAGES_DENSE)}) {
    JobSpec wide = Job(encoder), tall = Job(encoder), square = Job(encoder);
    Resize(112, 448, &wide);
    Resize(448, 112, &tall);
    EXPECT_DOUBLE_EQ(TrainGflopPerImage(wide, 49), TrainGflopPerImage(square, 49));
    EXPECT_DOUBLE_EQ(TrainGflopPerImage(tall, 49), TrainGflopPerImage(square, 49));
    Resize(112, 224, &wide);
    EXPECT_LT(TrainGflopPerImage(wide, 49), TrainGflopPerImage(square, 49));
  }
  JobSpec grey = Job(Vit(16, 768, 12));
  grey.mutable_data()->set_channels(1);
  const double colour = TrainGflopPerImage(Job(Vit(16, 768, 12)), 49);
  EXPECT_NEAR(colour - TrainGflopPerImage(grey, 49), kTrain * (0.1156 + 0.0775) * 2 / 3, 0.01);
}

}  // namespace
}  // namespace mimeo
