// The arithmetic of a training step, to judge speed by. Pure.
//
// Counted are the multiply-adds of matrix products and convolutions, 2 FLOP each; a transformer block of N tokens has
// (4 + 2 * mlp_ratio) N D^2 + 2 N^2 D. A ViT's patches are all counted as embedded, and every token as decoded,
// whatever this implementation skips, so that figures compare with other implementations'.
#pragma once

#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// GFLOP per image (all of its views and masks), forward and backward: three times the forward pass; and the averaged
// network's forward pass over each full-size view, where objectives compare with it. Not counted are teachers, and what
// projects to their width: mimic heads (under 0.5 %).
//
// Of conv_vit, the stages are counted as its spec evaluates them: at visible patches only (STAGES_AT_VISIBLE_TILES),
// once per mask; or over the whole image (STAGES_DENSE), under G complementary masks as FastConvMAE publishes it, whose
// masks share all but the depthwise convolutions. (Ours shares nothing between masks, and should not: G = L / K masks
// of visible tiles are the whole image once.) `num_visible`: K. REQUIRES: a resolved spec.
double TrainGflopPerImage(const JobSpec& spec, int num_visible);

// GFLOP of one forward pass over the whole image: a frozen teacher's. REQUIRES: a resolved spec whose patches tile the
// image.
double TeacherGflopPerImage(const EncoderSpec& spec, const ImageShape& image);

}  // namespace mimeo
