// How much arithmetic a training step needs, to judge its speed by. Pure.
//
// The multiply-adds of matrix products and convolutions are counted, at 2 FLOP each; a transformer block over N tokens
// has (4 + 2 * mlp_ratio) N D^2 + 2 N^2 D of them. All patches count as embedded by a ViT and every token as decoded,
// although this implementation skips some, so that its figures compare with those of other implementations.
#pragma once

#include "proto/job.pb.h"

namespace mimeo {

// GFLOP per image, of all its views and masks. Forward and backward together are three times the forward pass. Where
// objectives compare with the averaged network, its forward pass over each full-size view is added. Not counted are
// teachers and the mimic heads that project to their width (under 0.5 %).
//
// The stages of conv_vit are counted as the spec evaluates them. With STAGES_AT_VISIBLE_TILES that is at visible
// patches only, once per mask. With STAGES_DENSE it is over the whole image, and under G complementary masks as
// FastConvMAE publishes it, whose masks share all but the depthwise convolutions. Our own evaluation shares nothing
// between masks, and should not: the visible tiles of G = L / K masks are the whole image once. `num_visible` is K.
// REQUIRES: a resolved spec.
double TrainGflopPerImage(const JobSpec& spec, int num_visible);

// GFLOP of one forward pass over a whole training crop of `data`, as a frozen teacher makes it. REQUIRES: a resolved
// spec whose patches tile the crop.
double TeacherGflopPerImage(const EncoderSpec& spec, const DataSpec& data);

}  // namespace mimeo
