// MCMAE's encoder with every field set, as job/defaults.cc resolves it (which model/ may not see): for tests.
#pragma once

#include "proto/job.pb.h"

namespace mimeo::testing {

struct ConvVitShape {
  int stem_px = 4;
  int stage_width[2] = {256, 384};
  int stage_depth[2] = {2, 2};
  int width = 768;
  int depth = 11;
  int heads = 12;
};

// ConvVitShape() is MCMAE-B.
inline ConvVitSpec PlainConvVit(const ConvVitShape& shape, StageEvaluation stages) {
  ConvVitSpec spec;
  spec.set_stem_px(shape.stem_px), spec.set_width(shape.width), spec.set_depth(shape.depth),
      spec.set_heads(shape.heads);
  for (const int stage : {0, 1}) {
    spec.add_stage_width(shape.stage_width[stage]);
    spec.add_stage_depth(shape.stage_depth[stage]);
  }
  spec.set_mlp_ratio(4), spec.set_class_token(false), spec.set_drop_path(0), spec.set_stages(stages);
  return spec;
}

}  // namespace mimeo::testing
