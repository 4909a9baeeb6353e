#include "model/weights/shapes_of.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/weights/positions.h"

namespace mimeo {
namespace {

// The side of a square of `count` patches; 0: it is none.
int Side(int64_t count) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(0, count)))));
  return side > 0 && side * side == count ? static_cast<int>(side) : 0;
}

class ShapeReader {
 public:
  ShapeReader(const WeightsFile& weights, const Stated& stated, EncoderSpec* spec, ImageShape* image,
              std::vector<std::string>* notes, std::vector<std::string>* problems)
      : weights_(weights),
        layout_(weights.layout),
        stated_(stated),
        spec_(spec),
        image_(image),
        notes_(notes),
        problems_(problems) {}

  void Run() {
    const at::Tensor& patch = *weights_.Find(layout_.PatchWeight());
    if (patch.dim() != 4 || patch.size(2) != patch.size(3) || patch.numel() == 0 || patch.size(0) % 4 != 0) {
      Problem(absl::StrCat(layout_.PatchWeight(), " has shape ", ShapeText(patch.sizes()),
                           "; it should be [width, channels, patch, patch], the width a multiple of 4"));
      return;
    }
    image_->channels = static_cast<int>(patch.size(1));
    if (layout_.naming == Naming::kMcmae) {
      ReadConvVit(patch, spec_->mutable_conv_vit());
    } else {
      ReadVit(patch, spec_->mutable_vit());
    }
  }

 private:
  void Problem(const std::string& what) { problems_->push_back(what); }

  void ReadVit(const at::Tensor& patch, VitSpec* vit) {
    const std::vector<std::string> keys = weights_.Keys();
    const VitParts parts = layout_.PartsOf(keys);
    vit->set_patch_px(static_cast<int>(patch.size(2))), vit->set_width(static_cast<int>(patch.size(0))),
        vit->set_depth(parts.depth);
    vit->set_mlp_ratio(MlpRatio(vit->width())), vit->set_drop_path(0);
    vit->set_class_token(parts.class_token), vit->set_pre_norm(parts.pre_norm), vit->set_patch_bias(parts.patch_bias);
    vit->set_qkv_bias(parts.qkv_bias), vit->set_layer_scale(parts.layer_scale ? 1 : 0),
        vit->set_register_tokens(NumRegisters());
    vit->set_mask_token(false), vit->set_frozen_patch_embedding(false), vit->set_position_offset(0);
    if (layout_.family == "mimeo") FollowJob(vit);
    if (parts.depth == 0 || static_cast<size_t>(parts.depth) > keys.size()) {
      return Problem(absl::StrCat("its ", keys.size(), " keys speak of ", parts.depth, " transformer blocks"));
    }
    for (const std::string& key : keys) {
      if (absl::StrContains(key, ".mlp.w12.") || absl::StrContains(key, ".mlp.weights_in.")) {
        Problem(absl::StrCat(key, ": its MLPs are SwiGLU, which Mimeo's blocks do not have"));
        return;
      }
    }
    ReadGrid(vit->patch_px(), vit->width(), vit->class_token(), vit->register_tokens());
    if (problems_->empty() && !vit->has_positions()) vit->set_positions(KindOfPositions(*vit));
  }

  // 4 where the key is absent or misshapen: it is then named among those.
  double MlpRatio(int width) {
    const at::Tensor* first = weights_.Find(layout_.FirstMlp(1));
    const at::Tensor* second = weights_.Find(layout_.FirstMlp(2));
    if (first == nullptr || first->dim() < 2 || first->size(0) == 0) return 4;
    if (second != nullptr && second->dim() == 2 && 2 * second->size(1) == first->size(0)) {
      Problem(absl::StrCat(layout_.FirstMlp(1), " has twice the rows that ", layout_.FirstMlp(2),
                           " has columns: its MLPs are SwiGLU, which Mimeo's blocks do not have"));
    }
    return static_cast<double>(first->size(0)) / width;
  }

  int NumRegisters() const {
    const at::Tensor* registers = layout_.Registers().empty() ? nullptr : weights_.Find(layout_.Registers());
    return registers != nullptr && registers->dim() == 3 ? static_cast<int>(registers->size(1)) : 0;
  }

  void FollowJob(VitSpec* vit) {
    if (!stated_.job.has_value() || !stated_.job->value.encoder().has_vit()) {
      Problem("metadata key `job` is missing or speaks of no ViT: an encoder under Mimeo's names needs it");
      return;
    }
    VitSpec job = stated_.job->value.encoder().vit();
    if (job.depth() != vit->depth()) {
      Problem(absl::StrCat("it has ", vit->depth(), " blocks; its job says ", job.depth()));
    }
    job.clear_mask_token(), job.clear_frozen_patch_embedding();  // of pre-training alone
    // These the tensors tell.
    job.clear_depth(), job.clear_width(), job.clear_patch_px(), job.clear_mlp_ratio(), job.clear_register_tokens();
    vit->MergeFrom(job);
    if (!vit->has_positions()) vit->set_positions(POSITIONS_SINE_COSINE);
  }

  void ReadGrid(int patch_px, int width, bool class_token, int registers) {
    const at::Tensor* positions = weights_.Find(layout_.Positions());
    if (positions == nullptr) {
      const bool learned = spec_->vit().positions() == POSITIONS_LEARNED;
      if (layout_.family != "mimeo" || learned) return Problem(absl::StrCat("missing key ", layout_.Positions()));
      if (!stated_.image_px.has_value()) return Problem("neither positions nor a job tell the size of its images");
      image_->height_px = stated_.image_px->value.first, image_->width_px = stated_.image_px->value.second;
      if (image_->height_px % patch_px != 0 || image_->width_px % patch_px != 0) {
        Problem(absl::StrCat("image size ", image_->height_px, " x ", image_->width_px,
                             " is not a multiple of patch size ", patch_px));
      }
      return;
    }
    if (positions->dim() < 2 || positions->size(-1) != width || positions->numel() == 0) {
      return Problem(absl::StrCat("key ", layout_.Positions(), " has shape ", ShapeText(positions->sizes()),
                                  "; its last dimension should be ", width));
    }
    ChooseGrid(positions->numel() / width, patch_px, class_token, registers);
  }

  void ChooseGrid(int64_t rows, int patch_px, bool class_token, int registers) {
    std::vector<int64_t> counts = {rows - 1, rows};  // timm's no_embed_class has no row for the class token
    if (!class_token) counts = {rows, rows - 1};
    if (registers > 0 && class_token) counts.push_back(rows - 1 - registers);
    if (stated_.image_px.has_value()) {
      const auto [height, width] = stated_.image_px->value;
      const int64_t count = static_cast<int64_t>(height / patch_px) * (width / patch_px);
      for (const int64_t candidate : counts) {
        if (candidate != count || height % patch_px != 0 || width % patch_px != 0) continue;
        image_->height_px = height, image_->width_px = width;
        return;
      }
      notes_->push_back(absl::StrCat("image size: ", stated_.image_px->where, " says ", height, " x ", width,
                                     ", which does not fit its positions; the square that they fit is taken"));
    }
    // As many rows as a square has patches may also be those of another grid and of the class token: 25 are 5 x 5, or
    // 4 x 6 and one. timm has a row for the class token alone only where there are no registers.
    const bool ambiguous = class_token && (layout_.naming != Naming::kTimm || registers == 0);
    for (const int64_t candidate : counts) {
      const int side = Side(candidate);
      if (side == 0 || (ambiguous && candidate == rows)) continue;
      image_->height_px = image_->width_px = side * patch_px;
      return;
    }
    RefuseGrid(rows, counts[0], patch_px, ambiguous);
  }

  void RefuseGrid(int64_t rows, int64_t patches, int patch_px, bool ambiguous) {
    int64_t height = std::max<int64_t>(1, static_cast<int64_t>(std::sqrt(static_cast<double>(patches))));
    while (patches % height != 0) --height;
    const int side = ambiguous ? Side(rows) : 0;
    Problem(absl::StrCat(
        "key ", layout_.Positions(), " has ", rows, " rows; ", patches, " patches",
        patches < rows ? " beside the class token" : "", " are no square",
        side > 0 ? absl::StrCat(", and ", rows, " without a row for it would be ", side, " x ", side) : "",
        ": state the image's size, as \"image_size\": [height, width] in a config.json beside the file (such as [",
        height * patch_px, ", ", patches / height * patch_px, "] for ", height, " x ", patches / height,
        " patches), or in a safetensors file's metadata keys `image_height_px` and `image_width_px`"));
  }

  Positions KindOfPositions(const VitSpec& vit) const {
    const PatchGrid grid = GridOf(*image_, vit.patch_px());
    const at::Tensor stored_ND = weights_.Find(layout_.Positions())->reshape({-1, vit.width()}).to(at::kFloat);
    const at::Tensor positions_LD = PositionsWithClassRow(stored_ND, grid.num_patches(), vit.register_tokens());
    return positions_LD.defined() && AreSineCosine(positions_LD, grid) ? POSITIONS_SINE_COSINE : POSITIONS_LEARNED;
  }

  void ReadConvVit(const at::Tensor& patch, ConvVitSpec* conv) {
    const auto rows = [&](const std::string& key) {
      const at::Tensor* tensor = weights_.Find(layout_.prefix + key);
      if (tensor == nullptr || tensor->dim() == 0) Problem(absl::StrCat("missing key ", layout_.prefix, key));
      return tensor == nullptr || tensor->dim() == 0 ? int64_t{0} : tensor->size(0);
    };
    const std::vector<std::string> keys = weights_.Keys();
    conv->set_stem_px(static_cast<int>(patch.size(2)));
    for (const char* stage : {"1", "2"}) {
      conv->add_stage_width(static_cast<int>(rows(absl::StrCat("patch_embed", stage, ".proj.weight"))));
      conv->add_stage_depth(CountBlocks(keys, absl::StrCat(layout_.prefix, "blocks", stage, ".")));
    }
    conv->set_width(static_cast<int>(rows("patch_embed4.weight")));
    conv->set_depth(CountBlocks(keys, layout_.prefix + "blocks3."));
    const int64_t hidden = rows("blocks3.0.mlp.fc1.weight");
    conv->set_class_token(weights_.Find(layout_.prefix + "cls_token") != nullptr);
    conv->set_drop_path(0), conv->set_stages(STAGES_AT_VISIBLE_TILES);
    if (!problems_->empty() || conv->width() <= 0 || conv->width() % 4 != 0) {
      if (problems_->empty()) Problem(absl::StrCat("its width is ", conv->width(), "; it should be a multiple of 4"));
      return;
    }
    conv->set_mlp_ratio(static_cast<double>(hidden) / conv->width());
    ReadGrid(4 * conv->stem_px(), conv->width(), conv->class_token(), /*registers=*/0);
  }

  const WeightsFile& weights_;
  const Layout& layout_;
  const Stated& stated_;
  EncoderSpec* spec_;
  ImageShape* image_;
  std::vector<std::string>* notes_;
  std::vector<std::string>* problems_;
};

}  // namespace

void ReadShapes(const WeightsFile& weights, const Stated& stated, EncoderSpec* spec, ImageShape* image,
                std::vector<std::string>* notes, std::vector<std::string>* problems) {
  ShapeReader(weights, stated, spec, image, notes, problems).Run();
}

std::string ShapeText(at::IntArrayRef shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

}  // namespace mimeo
