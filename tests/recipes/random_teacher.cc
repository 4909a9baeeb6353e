#include "tests/recipes/random_teacher.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include "job/job_shape.h"
#include "model/testing/vit_spec.h"
#include "objective/mimic.h"
#include "worker/training/views.h"

namespace mimeo {

RandomTeacher::RandomTeacher(const JobSpec& spec, const TeacherRequest& request)
    : spec_(spec), request_(request), parameters_(/*seed=*/17) {
  EncoderSpec encoder;
  *encoder.mutable_vit() = testing::PlainVit(PatchPx(spec), kWidth, kBlocks, /*heads=*/3);
  encoder_ = MakeEncoder(encoder, ImageShapeOf(spec.data()), &parameters_);
}

absl::Status RandomTeacher::Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) {
  const at::NoGradGuard no_grad;
  for (ViewInput& view : *views) {
    EncodeOptions options;
    options.class_attention = true;
    if (request_.wish.layer() > 0) options.blocks = {request_.wish.layer()};
    const MaskPlan whole = AllVisible(view.images_BCHW.size(0), encoder_->grid().num_patches(), at::kCPU);
    const Encoding encoding = encoder_->Encode(view.images_BCHW.cpu(), whole, options);
    if (!view.plan.visible_BK.defined()) {
      std::vector<RandomKey> keys;
      for (const RandomKey& key : batch.keys) keys.push_back(ViewMaker::MaskKey(spec_.mask(), key, view.view));
      const FocusedDraw& draw = request_.wish.focused();
      const MaskPlan drawn =
          FocusedMaskPlan(keys, encoding.class_attention_BK, draw.num_visible(), draw.most_attended());
      view.plan = ToDevice(drawn, view.images_BCHW.device());
    }
    const at::Tensor all = request_.wish.layer() > 0
                               ? encoding.blocks_BND.at(request_.wish.layer())
                               : at::cat({encoding.class_BD.unsqueeze(1), encoding.visible_BKD}, 1);
    at::Tensor tokens = TakePatches(all.slice(1, 1), MimickedPatches(view.plan, request_.tokens).cpu());
    if (request_.wish.class_token()) tokens = at::cat({all.slice(1, 0, 1), tokens}, 1);
    for (const std::string& objective : request_.objectives) {
      view.teacher_BNT[objective] = tokens.to(view.images_BCHW.device());
    }
  }
  return absl::OkStatus();
}

}  // namespace mimeo
