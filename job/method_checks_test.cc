// What is refused of encoders, masks and objectives, each with the field and what would be right.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

constexpr char kVit[] = "encoder { vit { patch_px: 8 width: 64 depth: 4 heads: 2 } } ";
constexpr char kConvVit[] =
    "encoder { conv_vit { stem_px: 2 stage_width: [16, 32] stage_depth: [1, 1] width: 64 depth: 2 heads: 2 } } ";
constexpr char kPixels[] = "objective { reconstruction {} } ";
constexpr char kContrast[] = "views { count: 2 } objective { contrastive { info_nce {} } } ";

constexpr char kMoco[] =
    "views { count: 2 } ema {} objective { contrastive { info_nce {} predictor { final_norm: true } average_target: "
    "true } } ";
constexpr char kDino[] = "views { count: 2 } ema {} objective { self_distillation {} } ";

// The problems of a job on 32 x 32 px, or "" where there is none.
std::string ProblemsOf(const std::string& parts) {
  const std::string base = "data { path: \"photos\" global_batch: 64 image_px: 32 } schedule { epochs: 10 } ";
  JobSpec spec;  // merged: parts may speak of the same message
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(absl::StrCat(base, parts), &spec)) << parts;
  return std::string(ResolveJobSpec(spec).status().message());
}

struct Case {
  std::string parts;
  std::string problem;
};

TEST(MethodChecksTest, WhatMakesSenseIsTaken) {
  for (const std::string& parts :
       {absl::StrCat(kVit, kPixels, "mask { unit_patches: 2 block {} } "),
        absl::StrCat(kVit, kPixels, "mask { grid {} unit_patches: 2 } "),
        absl::StrCat(kVit, kPixels, "mask { groups: 4 } "),
        absl::StrCat(kVit, kPixels, "mask { focused { teacher: \"clip\" } } "), absl::StrCat(kConvVit, kPixels),
        absl::StrCat(kVit, kContrast, "mask { none {} } "),
        absl::StrCat(kVit, kContrast, "data { contrast_group: 16 } resources { num_ranks: 4 } "),
        absl::StrCat(kVit, "mask { groups: 2 } objective { contrastive { cosine {} pooling: POOLING_CLASS } } "),
        absl::StrCat(kVit, kPixels, "data { image_width_px: 64 channels: 1 } "), absl::StrCat(kVit, kMoco),
        absl::StrCat(kVit, kDino), absl::StrCat(kVit, kDino, "views { count: 6 image_px: 16 } mask { none {} } "),
        absl::StrCat(kVit, "encoder { vit { mask_token: true } } objective { reconstruction { linear: true } } "),
        absl::StrCat(kVit, "views { count: 2 } objective { contrastive { info_nce {} predictor {} } } "),
        absl::StrCat(kVit, kMoco, "resources { cuda_graph: true } "),
        absl::StrCat(kVit, kPixels, "ema { decay: 0.9 final_decay: 1 } resources { cuda_graph: true } ")}) {
    EXPECT_EQ(ProblemsOf(parts), "") << parts;
  }
}

TEST(MethodChecksTest, MembersOfASampleAreNamesWithoutAFolder) {
  const std::string pixels = absl::StrCat(kVit, kPixels);
  EXPECT_EQ(ProblemsOf(absl::StrCat(pixels, "data { members: \"left.jpg\" } ")), "");
  for (const std::string& wrong : {std::string(), std::string("a/left.jpg"), std::string(65, 'x')}) {
    EXPECT_THAT(ProblemsOf(absl::StrCat(pixels, "data { members: \"", wrong, "\" } ")),
                HasSubstr("is no end of a member's name, such as left.jpg: 1 to 64 bytes without /"));
  }
}

TEST(MethodChecksTest, EncodersAndMasks) {
  const std::string pixels = absl::StrCat(kVit, kPixels);
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(kPixels), "encoder: missing"},
           {absl::StrCat(kConvVit, kPixels, "init: INITIAL_WEIGHTS_DINO "),
            "init: INITIAL_WEIGHTS_DINO goes with encoder.vit; leave it out"},
           {absl::StrCat(pixels, "init: INITIAL_WEIGHTS_UNSPECIFIED "), "init: one of INITIAL_WEIGHTS_MAE, "},
           {absl::StrCat(pixels, "views { interpolation: INTERPOLATION_UNSPECIFIED } "),
            "views.interpolation: one of INTERPOLATION_BICUBIC, INTERPOLATION_BILINEAR"},
           {absl::StrCat(pixels, "encoder { vit { position_offset: 1 } } "),
            "encoder.vit.position_offset: 1 is not between 0 and 0.99"},
           {absl::StrCat(pixels, "optimizer { clipping: CLIPPING_UNSPECIFIED } "),
            "optimizer.clipping: one of CLIPPING_GLOBAL, CLIPPING_PER_TENSOR"},
           {absl::StrCat(pixels, "optimizer { adamw { decayed: DECAYED_UNSPECIFIED } } "),
            "optimizer.adamw.decayed: one of DECAYED_MATRICES, "},
           {absl::StrCat(pixels, "data { channels: 2 } "), "data.channels: 2 is neither 3 (RGB) nor 1 (grey)"},
           {absl::StrCat(pixels, "data { channels: 1 pixel_mean: [0.1, 0.2] } "),
            "data.pixel_mean: given 2 times; once per channel, 1"},
           {absl::StrCat(pixels, "data { image_width_px: 36 } "),
            "encoder.vit.patch_px: 8 does not divide data.image_width_px 36; nearest image sizes that fit: 32, 40"},
           {absl::StrCat(kConvVit, kPixels, "data { image_px: 36 image_width_px: 32 } "),
            "encoder.conv_vit.stem_px: 2 makes patches of 8 px, which do not tile data.image_px 36"},
           {absl::StrCat(kConvVit, kPixels, "encoder { conv_vit { stage_width: 8 } } "),
            "encoder.conv_vit.stage_width: given 3 times; there are two"},
           {absl::StrCat(pixels, "mask { none {} hidden_fraction: 0.5 } "),
            "mask.hidden_fraction: 0.5 with mask.none; leave it out"},
           {absl::StrCat(pixels, "mask { grid {} hidden_fraction: 0.7 } "),
            "mask.hidden_fraction: 0.7 is not 1 - 1/s^2"},
           {absl::StrCat(pixels, "mask { grid {} hidden_fraction: 0.8888888888888888 } "),
            "mask.grid: 4 x 4 patches in units of 1 are not tiled by squares of 3"},
           {absl::StrCat(pixels, "mask { unit_patches: 3 } "),
            "mask.unit_patches: 3 does not divide the grid of 4 x 4 patches"},
           {absl::StrCat(pixels, "mask { focused { teacher: \"clip\" } unit_patches: 2 } "),
            "mask.unit_patches: 2 with mask.focused"},
           {absl::StrCat(pixels, "mask { focused {} } "), "mask.focused.teacher: \"\" is not a teacher's name"},
           {absl::StrCat(pixels, "mask { groups: 5 } "),
            "mask.groups: 5 disjoint masks of 4 of 16 patches cannot be; at most 4"},
           {absl::StrCat(pixels, "mask { groups: 2 block {} } "),
            "mask.groups: 2 complementary masks go with mask.random only"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

TEST(MethodChecksTest, GroupsOfViews) {
  const std::string dino = absl::StrCat(kVit, kDino, "mask { none {} } "), pixels = absl::StrCat(kVit, kPixels);
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(pixels, "views { count: 0 } "), "views.count: 0 is not between 1 and 16"},
           {absl::StrCat(dino, "views { count: 15 } "), "views: 17 in all; at most 16"},
           {absl::StrCat(dino, "views { crop_scale_min: 0.5 crop_scale_max: 0.4 } "),
            "views[1].crop_scale_min: 0.5 is above crop_scale_max 0.4"},
           {absl::StrCat(dino, "views { image_px: 20 } "),
            "views[1].image_px: 20 is not a multiple of patches of 8 px; nearest that fit: 16, 24"},
           {absl::StrCat(kVit, "views { image_px: 16 } ", kDino, "mask { none {} } "),
            "views[0].image_px: the first group is as large as data.image_px"},
           {absl::StrCat(kVit, kDino, "views { image_px: 16 } "),
            "views[1].image_px: views of another size than data.image_px go with mask { none {} }"},
           {absl::StrCat(dino, kPixels, "views { image_px: 16 } "),
            "have no patch for patch of objective[reconstruction]"},
           {absl::StrCat(kConvVit, kDino, "views { image_px: 16 } "),
            "views of another size than data.image_px go with encoder.vit"},
           {absl::StrCat(pixels, "views { color { hue: 0.6 } } "), "views.color.hue: 0.6 is not between 0 and 0.5"},
           {absl::StrCat(pixels, "views { color { blur_kernel_px: 4 } } "),
            "views.color.blur_kernel_px: 4 is not an odd number from 1 to 63"},
           {absl::StrCat(pixels, "views { color { blur_sigma_min: 3 } } "),
            "views.color.blur_sigma_min: 3 is above blur_sigma_max 2"},
           {absl::StrCat(pixels, "views { color { solarize_threshold: 300 } } "),
            "views.color.solarize_threshold: 300 is not between 0 and 256"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

TEST(MethodChecksTest, AveragedTargetsAndMaskTokens) {
  const std::string linear =
      absl::StrCat(kVit, "encoder { vit { mask_token: true } } objective { reconstruction { linear: true ");
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(kVit, "views { count: 2 } objective { self_distillation {} } "),
            "compares with the averaged network; the job needs ema {}"},
           {absl::StrCat(kVit, "views { count: 2 } objective { contrastive { cosine {} average_target: true } } "),
            "the job needs ema {}"},
           {absl::StrCat(kVit, "ema {} objective { self_distillation {} } "),
            "views.count: 1; objective[self_distillation].self_distillation compares views of an image; at least 2"},
           {absl::StrCat(kConvVit, kDino),
            "self_distillation.pooling: POOLING_CLASS, and this encoder has no class token"},
           {absl::StrCat(kVit, "views { count: 2 } ema {} objective { self_distillation { num_prototypes: 1 } } "),
            "num_prototypes: 1 is not between 2 and"},
           {absl::StrCat(kVit, "views { count: 2 } ema {} objective { self_distillation { teacher_temperature: 0 } } "),
            "teacher_temperature: 0 is not between"},
           {absl::StrCat(kVit, "views { count: 2 } ema {} objective { self_distillation { warmup: 1.5 } } "),
            "warmup: 1.5 is not between 0 and 1"},
           {absl::StrCat(kVit,
                         "views { count: 2 } objective { contrastive { info_nce {} predictor { hidden_width: 0 } } } "),
            "predictor.hidden_width: 0 is not between"},
           {absl::StrCat(kVit, "objective { reconstruction { linear: true } } "),
            "linear: reads the encoder's tokens of hidden patches; set encoder.vit.mask_token"},
           {absl::StrCat(linear, "decoder_depth: 4 } } "),
            "reconstruction.decoder_depth: does nothing where linear is true; leave it out"},
           {absl::StrCat(kVit, kContrast, "mask { none {} } encoder { vit { mask_token: true } } "),
            "encoder.vit.mask_token: stands for hidden patches, and nothing is hidden"},
           {absl::StrCat(kVit, kPixels, "optimizer { adamw { final_weight_decay: -1 } } "),
            "optimizer.adamw.final_weight_decay: -1 is not between 0 and"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

// The centre is a mean over the whole step, so self-distillation accumulates; a contrast needs its group together.
TEST(MethodChecksTest, WhatNeedsAContrastGroup) {
  const std::string accumulate = "resources { micro_batch: 16 } ";
  EXPECT_EQ(ProblemsOf(absl::StrCat(kVit, kDino, accumulate)), "");
  EXPECT_THAT(ProblemsOf(absl::StrCat(kVit, kMoco, accumulate)),
              HasSubstr("resources.micro_batch: 16 x 1 ranks is not data.contrast_group 64"));
}

TEST(MethodChecksTest, Objectives) {
  const std::string mimic = absl::StrCat(kVit, kPixels, "objective { mimic { teacher: \"clip\" ");
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(kVit, kPixels, "mask { none {} } "),
            "objective[reconstruction].reconstruction: nothing is hidden"},
           {absl::StrCat(kVit, "objective { reconstruction { target_view: TARGET_VIEW_CROSS } } "),
            "TARGET_VIEW_CROSS needs views.count of 2 or more; it is 1"},
           {absl::StrCat(mimic, "student_layer: 5 } } "),
            "objective[mimic].mimic.student_layer: 5 is not between 1 and 4"},
           {absl::StrCat(mimic, "student_layer: [2, 2] } } "), "student_layer: 2 is named twice"},
           {absl::StrCat(mimic, "projected: true teacher_layer: 3 } } "),
            "projected: goes with the teacher's last tokens"},
           {absl::StrCat(kConvVit, "objective { mimic { teacher: \"clip\" class_token: true } } "),
            "mimic.class_token: this encoder has no class token"},
           {absl::StrCat(kVit, "objective { mimic { teacher: \"clip\" student_layer: 2 } } "),
            "objective: every objective is a mimic of student_layer"},
           {absl::StrCat(mimic, "decoder_depth: 2 } } "),
            "objective[mimic].mimic.decoder_depth: does nothing with MIMIC_TOKENS_VISIBLE; leave it out"},
           {absl::StrCat(mimic, "tokens: MIMIC_TOKENS_HIDDEN class_token: true } } "),
            "mimic.class_token: goes with tokens at the encoder's output: MIMIC_TOKENS_VISIBLE or"},
           {absl::StrCat(mimic, "tokens: MIMIC_TOKENS_HIDDEN student_layer: 2 } } "),
            "mimic.student_layer: is for tokens at the encoder's output"},
           {absl::StrCat(mimic, "tokens: MIMIC_TOKENS_ALL decoder_width: 30 decoder_heads: 4 } } "),
            "mimic.decoder_width: 30 is not a multiple of 4 and of 4 heads; nearest that fit: 28, 32"},
           {absl::StrCat(kVit, "mask { none {} } objective { mimic { teacher: \"clip\" tokens: MIMIC_TOKENS_ALL } } "),
            "mimic.tokens: nothing is hidden (mask.none), so that MIMIC_TOKENS_VISIBLE are all"},
           {absl::StrCat(mimic, "tokens: MIMIC_TOKENS_UNSPECIFIED } } "),
            "mimic.tokens: one of MIMIC_TOKENS_VISIBLE, MIMIC_TOKENS_HIDDEN, MIMIC_TOKENS_ALL"},
           {absl::StrCat(kVit, "views { count: 2 } objective { contrastive {} } "),
            "objective[contrastive].contrastive: says not which loss; one of info_nce {}, cosine {}"},
           {absl::StrCat(kVit, "objective { contrastive { info_nce {} } } "),
            "views.count: 1 x mask.groups 1; objective[contrastive].contrastive contrasts two encodings"},
           {absl::StrCat(kConvVit,
                         "views { count: 2 } objective { contrastive { info_nce {} pooling: POOLING_CLASS } } "),
            "pooling: POOLING_CLASS, and this encoder has no class token"},
           {absl::StrCat(kVit, "objective { reconstruction {} weight_schedule {} } "),
            "weight_schedule.final_weight: missing"},
           {absl::StrCat(kVit,
                         "objective { reconstruction {} weight_schedule { final_weight: 1 begin: 0.5 end: 0.5 } } "),
            "weight_schedule.end: 0.5 is not after begin 0.5"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

TEST(MethodChecksTest, WhatChangesAlongTrainingIsInNoGraph) {
  const std::string graph = absl::StrCat(kVit, "resources { cuda_graph: true } ");
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(graph, kPixels, "resources { num_ranks: 4 } "),
            "resources.cuda_graph: is for resources.num_ranks 1; it is 4"},
           {absl::StrCat(graph, kPixels, "optimizer { adamw { weight_decay: 0.04 final_weight_decay: 0.4 } } "),
            "resources.cuda_graph: optimizer.adamw.weight_decay goes from 0.04 to final_weight_decay 0.4"},
           {absl::StrCat(graph,
                         "objective { reconstruction {} weight_schedule { final_weight: 1 begin: 0 end: 0.5 } } "),
            "resources.cuda_graph: objective[reconstruction].weight_schedule changes a weight"},
           {absl::StrCat(graph, kDino), "].self_distillation changes its temperature"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

TEST(MethodChecksTest, ContrastGroups) {
  const std::string contrast = absl::StrCat(kVit, kContrast);
  for (const Case& c : std::vector<Case>{
           {absl::StrCat(kVit, kPixels, "data { contrast_group: 32 } "),
            "data.contrast_group: 32, and no objective mixes samples; leave it out"},
           {absl::StrCat(contrast, "data { contrast_group: 24 } "),
            "data.contrast_group: 24 does not divide data.global_batch 64"},
           {absl::StrCat(contrast, "data { contrast_group: 32 } resources { num_ranks: 3 } "),
            "data.contrast_group: 32 is not a multiple of 3 ranks; nearest that fit: 30, 33"},
           {absl::StrCat(contrast, "resources { num_ranks: 2 micro_batch: 8 } "),
            "resources.micro_batch: 8 x 2 ranks is not data.contrast_group 64"},
           {absl::StrCat(kVit, kPixels, "ema { decay: 1.5 } "), "ema.decay: 1.5 is not between 0 and 1"}}) {
    EXPECT_THAT(ProblemsOf(c.parts), HasSubstr(c.problem)) << c.parts;
  }
}

}  // namespace
}  // namespace mimeo
