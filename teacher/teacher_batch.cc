#include "teacher/teacher_batch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "model/mask_plan.h"
#include "objective/mimic.h"
#include "teacher/feature_wish.h"

namespace mimeo {
namespace {

// Rows [first, first + count) as bytes; nothing of an undefined tensor.
absl::Span<char> Rows(const at::Tensor& tensor, int64_t first, int64_t count) {
  if (!tensor.defined()) return {};
  const int64_t row_bytes = static_cast<int64_t>(tensor.nbytes()) / tensor.size(0);
  return {static_cast<char*>(tensor.data_ptr()) + first * row_bytes, static_cast<size_t>(count * row_bytes)};
}

absl::string_view AsText(absl::Span<char> bytes) { return {bytes.data(), bytes.size()}; }

std::vector<at::Tensor> TensorsOf(const Batch& batch, const std::vector<ViewInput>& views) {
  std::vector<at::Tensor> tensors = batch.views_BCHW;
  for (const ViewInput& view : views) tensors.push_back(view.plan.visible_BK);
  return tensors;
}

// REQUIRES: GeometryOf takes it.
at::ScalarType ScalarTypeOf(TensorType type) {
  switch (type) {
    case TENSOR_TYPE_FLOAT32:
      return at::kFloat;
    default:
      return at::ScalarType::Undefined;
  }
}

bool IsFirstView(const ViewInput& input) { return input.view == 0; }

}  // namespace

FeatureRequestHeader HeaderOf(const TeacherRequest& request) {
  FeatureRequestHeader header;
  *header.mutable_wish() = request.wish;
  header.set_num_images(1);
  header.set_channels(request.image.channels);
  header.set_height_px(request.image.height_px);
  header.set_width_px(request.image.width_px);
  return header;
}

absl::StatusOr<std::unique_ptr<TeacherBatch>> TeacherBatch::Create(const TeacherRequest& request,
                                                                   const MaskKey& mask_key,
                                                                   const FeatureGeometry& geometry, const Batch& batch,
                                                                   const std::vector<ViewInput>& views) {
  std::unique_ptr<TeacherBatch> made(new TeacherBatch(request, mask_key));
  made->given_ = TensorsOf(batch, views);
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i].view < 0 || views[i].view >= static_cast<int>(batch.views_BCHW.size())) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is of view ", views[i].view, ", the batch has ",
                                                     batch.views_BCHW.size(), " views"));
    }
  }
  if (request.same_in_all_views && std::none_of(views.begin(), views.end(), IsFirstView)) {
    return absl::InvalidArgumentError("no input is of view 0, whose mask plan all views have");
  }
  for (size_t view = 0; view < batch.views_BCHW.size(); ++view) {
    RETURN_IF_ERROR(made->AddCrop(geometry, batch, views, static_cast<int>(view)));
  }
  return made;
}

absl::StatusOr<std::vector<size_t>> TeacherBatch::InputsOf(const Batch& batch, const std::vector<ViewInput>& views,
                                                           int view) const {
  const at::Tensor& images = batch.views_BCHW[static_cast<size_t>(view)];
  const ImageShape& wanted = request_.image;
  bool fits = images.dim() == 4 && images.size(0) >= 1 && images.size(1) == wanted.channels &&
              images.size(2) == wanted.height_px && images.size(3) == wanted.width_px &&
              images.scalar_type() == at::kByte;
  std::vector<size_t> inputs;
  std::vector<std::string> plans;
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i].view != view) continue;
    inputs.push_back(i);
    if (!views[i].plan.visible_BK.defined()) continue;
    const at::Tensor index = MimickedPatches(views[i].plan, request_.tokens);
    fits = fits && index.dim() == 2 && index.size(0) == images.size(0) && index.size(1) >= 1;
    plans.push_back(absl::StrJoin(index.sizes(), "x"));
  }
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("view ", view, ": images of shape ", absl::StrJoin(images.sizes(), "x"),
                     " and patches to mimic of shape ", absl::StrJoin(plans, ", "), ", the job's are uint8 Bx",
                     wanted.channels, "x", wanted.height_px, "x", wanted.width_px, " and BxN"));
  }
  const bool draws = plans.size() < inputs.size();
  const bool may_draw = request_.draws_masks() && inputs.size() == 1;
  if (draws && !(may_draw && static_cast<int64_t>(batch.keys.size()) == images.size(0))) {
    return absl::InvalidArgumentError(absl::StrCat("view ", view, ": ", plans.size(), " mask plans for ", inputs.size(),
                                                   " inputs, ", batch.keys.size(), " keys for ", images.size(0),
                                                   " images; teacher ", request_.teacher,
                                                   request_.draws_masks() ? " draws one per view" : " draws none"));
  }
  return inputs;
}

absl::Status TeacherBatch::AddCrop(const FeatureGeometry& geometry, const Batch& batch,
                                   const std::vector<ViewInput>& views, int view) {
  Crop crop;
  ASSIGN_OR_RETURN(crop.views, InputsOf(batch, views, view));
  if (crop.views.empty()) return absl::OkStatus();
  const at::Tensor& visible_BK = views[crop.views.front()].plan.visible_BK;
  const bool draws = !visible_BK.defined() && !(request_.same_in_all_views && view > 0);
  if (!draws && !request_.wants_features()) return absl::OkStatus();
  crop.images_BCHW = batch.views_BCHW[static_cast<size_t>(view)].contiguous();
  crop.header = HeaderOf(request_);
  const int64_t num_images = crop.images_BCHW.size(0);
  int64_t num_tokens = NumPatches(request_.wish);
  if (draws) {
    num_tokens = request_.wish.focused().num_visible();
    crop.choice_BX = KeysOf(batch, view);
    crop.drawn_BK = at::empty({num_images, num_tokens}, at::kInt);
  } else {
    crop.header.mutable_wish()->clear_focused();
    if (crop.views.size() == 1 && visible_BK.defined() && request_.tokens != MIMIC_TOKENS_ALL) {
      const at::Tensor wanted_BN = MimickedPatches(views[crop.views.front()].plan, request_.tokens);
      num_tokens = wanted_BN.size(1);
      crop.choice_BX = wanted_BN.to(at::kCPU, at::kInt).contiguous();
      crop.header.set_num_indices(static_cast<int>(num_tokens));
    }
  }
  if (request_.wants_features()) {
    if (request_.wish.class_token()) ++num_tokens;
    crop.features_BNT =
        at::empty({num_images, num_tokens, FeatureWidth(request_.wish, geometry)}, ScalarTypeOf(geometry.feature_type));
  }
  crops_.push_back(std::move(crop));
  return absl::OkStatus();
}

at::Tensor TeacherBatch::KeysOf(const Batch& batch, int view) const {
  std::vector<RandomKey> keys;
  for (const RandomKey& row : batch.keys) keys.push_back(mask_key_(row, view));
  const std::string bytes = KeyBytes(keys);
  at::Tensor keys_B2 = at::empty({static_cast<int64_t>(keys.size()), 2}, at::kLong);
  std::memcpy(keys_B2.data_ptr(), bytes.data(), bytes.size());
  return keys_B2;
}

bool TeacherBatch::IsOf(const Batch& batch, const std::vector<ViewInput>& views) const {
  const std::vector<at::Tensor> others = TensorsOf(batch, views);
  return std::equal(given_.begin(), given_.end(), others.begin(), others.end(),
                    [](const at::Tensor& a, const at::Tensor& b) { return a.is_same(b); });
}

absl::StatusOr<std::vector<TeacherStream::Slice>> TeacherBatch::Cut(const FeatureGeometry& geometry) {
  std::vector<TeacherStream::Slice> slices;
  int64_t answered = num_answered_;
  for (const Crop& crop : crops_) {
    ASSIGN_OR_RETURN(const int64_t most, MostImages(crop.header, geometry));
    const int64_t num_images = crop.images_BCHW.size(0);
    int64_t first = std::min(answered, num_images);
    answered -= first;
    const int64_t num_slices = (num_images - first + most - 1) / most;
    for (int64_t left = num_slices; left > 0; --left) {
      const int64_t count = (num_images - first) / left;
      TeacherStream::Slice slice;
      slice.header = crop.header;
      slice.header.set_num_images(static_cast<int>(count));
      slice.images = AsText(Rows(crop.images_BCHW, first, count));
      slice.choice = AsText(Rows(crop.choice_BX, first, count));
      slice.drawn = Rows(crop.drawn_BK, first, count);
      slice.features = Rows(crop.features_BNT, first, count);
      slice.type = geometry.feature_type;
      slices.push_back(std::move(slice));
      first += count;
    }
  }
  return slices;
}

absl::StatusOr<MaskPlan> TeacherBatch::DrawnPlan(const at::Tensor& drawn_BK) const {
  const int64_t batch = drawn_BK.size(0), num_visible = drawn_BK.size(1), num_patches = NumPatches(request_.wish);
  const int32_t* visible = drawn_BK.const_data_ptr<int32_t>();
  std::vector<std::vector<int64_t>> rows;
  for (int64_t b = 0; b < batch; ++b, visible += num_visible) {
    for (int64_t k = 0; k < num_visible; ++k) {
      const int64_t lowest = k == 0 ? 0 : visible[k - 1] + 1;
      if (visible[k] < lowest || visible[k] >= num_patches) {
        return absl::DataLossError(absl::StrCat("teacher ", request_.teacher, " drew patch ", visible[k], " of image ",
                                                b, " where ", lowest, " to ", num_patches - 1, " may come"));
      }
    }
    rows.emplace_back(visible, visible + num_visible);
  }
  return PlanOfVisible(rows, static_cast<int>(num_patches), static_cast<int>(num_visible));
}

at::Tensor TeacherBatch::FeaturesOf(const Crop& crop, const ViewInput& view) const {
  if (crop.choice_BX.defined()) return crop.features_BNT;
  at::Tensor index_BN = MimickedPatches(view.plan, request_.tokens).to(at::kCPU, at::kLong);
  if (request_.wish.class_token()) index_BN = at::cat({at::zeros({index_BN.size(0), 1}, at::kLong), index_BN + 1}, 1);
  return TakePatches(crop.features_BNT, index_BN);
}

absl::Status TeacherBatch::HandOut(std::vector<ViewInput>* views) const {
  std::vector<std::pair<size_t, MaskPlan>> drawn;  // by input
  for (const Crop& crop : crops_) {
    if (!crop.drawn_BK.defined()) continue;
    ASSIGN_OR_RETURN(MaskPlan plan, DrawnPlan(crop.drawn_BK));
    drawn.emplace_back(crop.views.front(), std::move(plan));
  }
  for (const auto& [i, plan] : drawn) (*views)[i].plan = ToDevice(plan, (*views)[i].images_BCHW.device());
  const auto first = std::find_if(views->begin(), views->end(), IsFirstView);
  for (ViewInput& view : *views) {
    if (!view.plan.visible_BK.defined()) view.plan = first->plan;  // same_in_all_views
  }
  for (const Crop& crop : crops_) {
    if (!crop.features_BNT.defined()) continue;
    for (const size_t i : crop.views) {
      ViewInput& view = (*views)[i];
      const at::Tensor features = FeaturesOf(crop, view).to(view.plan.visible_BK.device(), at::kFloat);
      for (const std::string& objective : request_.objectives) view.teacher_BNT[objective] = features;
    }
  }
  return absl::OkStatus();
}

}  // namespace mimeo
