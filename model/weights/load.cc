#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/finite.h"
#include "model/weights.h"
#include "model/weights/compare_specs.h"
#include "model/weights/description.h"
#include "model/weights/positions.h"
#include "model/weights/shapes_of.h"
#include "model/weights/weights_file.h"

namespace mimeo {
namespace {

// Without leading dimensions of one: CLIP's class token has shape [D], timm's [1, 1, D].
at::IntArrayRef WithoutLeadingOnes(at::IntArrayRef shape) {
  while (shape.size() > 1 && shape.front() == 1) shape = shape.slice(1);
  return shape;
}

// The value of a rule's parameter, or undefined with its problems appended.
at::Tensor Assemble(const WeightsFile& weights, const KeyRule& rule, const at::Tensor& parameter,
                    std::vector<std::string>* problems) {
  std::vector<int64_t> shape = parameter.sizes().vec();
  shape[0] /= static_cast<int64_t>(rule.sources.size());
  std::vector<at::Tensor> parts;
  for (const std::string& key : rule.sources) {
    const at::Tensor* part = weights.Find(key);
    if (part == nullptr) {
      problems->push_back(absl::StrCat("missing key ", key, ", shape ", ShapeText(shape)));
    } else if (WithoutLeadingOnes(part->sizes()) != WithoutLeadingOnes(shape)) {
      problems->push_back(
          absl::StrCat("key ", key, " has shape ", ShapeText(part->sizes()), ", should be ", ShapeText(shape)));
    } else if (!part->is_floating_point()) {
      problems->push_back(
          absl::StrCat("key ", key, " holds ", toString(part->scalar_type()), ", not floating-point numbers"));
    } else if (const std::string not_finite = NotFinite(*part); !not_finite.empty()) {
      problems->push_back(absl::StrCat("key ", key, " holds ", not_finite));
    } else {
      parts.push_back(*part);
    }
  }
  if (parts.size() != rule.sources.size()) return at::Tensor();
  return (parts.size() == 1 ? parts.front() : at::cat(parts)).reshape(parameter.sizes());
}

// Where each parameter of the encoder is in the file; a ConvViT's names are MCMAE's.
std::vector<KeyRule> RulesFor(const WeightsFile& weights, const EncoderSpec& spec, const Parameters& parameters) {
  if (spec.has_vit()) return weights.layout.Rules(PartsOf(spec.vit()));
  std::vector<KeyRule> rules;
  for (const auto& [name, parameter] : parameters.all()) {
    rules.push_back({name, {weights.layout.prefix + name.substr(absl::string_view("encoder.").size())}});
  }
  return rules;
}

// Counters and indices, such as position_ids and num_batches_tracked, follow from the code of whoever wrote the file.
// They are no weights.
std::string IntegerNote(const std::vector<std::string>& integers) {
  return absl::StrCat("passed over: ", integers.size(), " tensors of integers, such as ", integers.front());
}

// All but the positions. Fills `parameters`, or changes nothing.
absl::Status CopyWeights(const WeightsFile& weights, const EncoderSpec& spec, const Parameters& parameters,
                         std::vector<std::string>* notes) {
  std::vector<std::string> problems, integers;
  std::set<std::string> expected = {weights.layout.Positions(), weights.layout.Projection()};
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const KeyRule& rule : RulesFor(weights, spec, parameters)) {
    if (rule.parameter == "encoder.pos_embed") continue;
    expected.insert(rule.sources.begin(), rule.sources.end());
    at::Tensor parameter = parameters.Find(rule.parameter);
    at::Tensor value = Assemble(weights, rule, parameter, &problems);
    if (value.defined()) copies.emplace_back(std::move(parameter), std::move(value));
  }
  for (const auto& [key, tensor] : weights.tensors) {
    if (expected.count(key) > 0 || weights.layout.PassesOver(key)) continue;
    if (!tensor.is_floating_point()) {
      integers.push_back(key);
      continue;
    }
    problems.push_back(absl::StrCat("unknown key ", key, ", shape ", ShapeText(tensor.sizes())));
  }
  if (weights.Find("fc_norm.weight") != nullptr && weights.Find("norm.weight") == nullptr) {
    problems.push_back(
        "it has fc_norm in place of norm: it was fine-tuned with mean pooling, and its tokens have no last norm");
  }
  if (!problems.empty()) return RefuseWeights(weights, problems);
  if (!integers.empty()) notes->push_back(IntegerNote(integers));
  for (const auto& [parameter, value] : copies) parameter.copy_(value);
  return absl::OkStatus();
}

absl::Status CheckFinite(const WeightsFile& weights, const std::string& key, const at::Tensor& stored) {
  const std::string not_finite = NotFinite(stored);
  return not_finite.empty() ? absl::OkStatus()
                            : RefuseWeights(weights, {absl::StrCat("key ", key, " holds ", not_finite)});
}

// (1 + L, D) float32 of the file's own grid; undefined where the file has none.
absl::StatusOr<at::Tensor> StoredPositions(const WeightsFile& weights, const EncoderSpec& spec, const PatchGrid& grid) {
  const at::Tensor* stored = weights.Find(weights.layout.Positions());
  if (stored == nullptr) return at::Tensor();
  RETURN_IF_ERROR(CheckFinite(weights, weights.layout.Positions(), *stored));
  const int width = spec.has_vit() ? spec.vit().width() : spec.conv_vit().width(),
            registers = spec.vit().register_tokens();
  const at::Tensor stored_ND = stored->reshape({-1, width}).to(at::kFloat);
  at::Tensor positions_LD = PositionsWithClassRow(stored_ND, grid.num_patches(), registers);
  const std::string key = absl::StrCat("key ", weights.layout.Positions(), " has shape ", ShapeText(stored->sizes()));
  if (!positions_LD.defined()) {
    return RefuseWeights(weights, {absl::StrCat(key, ", should be ", ShapeText({1, 1 + grid.num_patches(), width}))});
  }
  if (registers > 0 && stored_ND.size(0) == 1 + registers + grid.num_patches() &&
      stored_ND.slice(0, 1, 1 + registers).count_nonzero().item<int64_t>() > 0) {
    return RefuseWeights(weights, {absl::StrCat(key, ": its register tokens have positions, which Mimeo's do not")});
  }
  return positions_LD;
}

absl::StatusOr<at::Tensor> ReadProjection(const WeightsFile& weights, int width) {
  const at::Tensor* stored = weights.Find(weights.layout.Projection());
  if (weights.layout.Projection().empty() || stored == nullptr) return at::Tensor();
  const bool transposed = weights.layout.naming == Naming::kHfClip;
  if (stored->dim() != 2 || stored->size(transposed ? 1 : 0) != width || !stored->is_floating_point()) {
    return RefuseWeights(
        weights, {absl::StrCat("key ", weights.layout.Projection(), " has shape ", ShapeText(stored->sizes()), "; its ",
                               transposed ? "last" : "first", " dimension should be ", width)});
  }
  RETURN_IF_ERROR(CheckFinite(weights, weights.layout.Projection(), *stored));
  return (transposed ? stored->t() : *stored).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

absl::StatusOr<ImageShape> WantedImage(const WeightsFile& weights, const ImageShape& own, const LoadOptions& options,
                                       int patch_px) {
  if (options.height_px == 0 && options.width_px == 0) return own;
  if (options.height_px <= 0 || options.width_px <= 0 || options.height_px % patch_px != 0 ||
      options.width_px % patch_px != 0) {
    const int below = std::max(1, std::min(options.height_px, options.width_px) / patch_px) * patch_px;
    return RefuseWeights(
        weights, {absl::StrCat("images of ", options.height_px, " x ", options.width_px,
                               " px (height x width) are not tiled by its patches of ", patch_px,
                               " px; a side is a multiple of them, such as ", below, " or ", below + patch_px)});
  }
  return ImageShape{own.channels, options.height_px, options.width_px};
}

int PatchPx(const EncoderSpec& spec) { return spec.has_vit() ? spec.vit().patch_px() : 4 * spec.conv_vit().stem_px(); }

absl::StatusOr<LoadedEncoder> Load(const WeightsFile& weights, const Description& description,
                                   const LoadOptions& options) {
  const at::NoGradGuard no_grad;
  LoadedEncoder loaded;
  loaded.spec = description.spec;
  const int patch_px = PatchPx(loaded.spec);
  ASSIGN_OR_RETURN(loaded.image, WantedImage(weights, description.image, options, patch_px));
  loaded.family = weights.layout.family;
  loaded.statistics = description.statistics;
  loaded.notes = description.notes;
  loaded.parameters = std::make_shared<Parameters>(Parameters::Unset(options.products));
  loaded.encoder = MakeEncoder(loaded.spec, loaded.image, loaded.parameters.get());
  RETURN_IF_ERROR(CopyWeights(weights, loaded.spec, *loaded.parameters, &loaded.notes));
  const PatchGrid own = GridOf(description.image, patch_px), wanted = loaded.encoder->grid();
  ASSIGN_OR_RETURN(const at::Tensor positions_LD, StoredPositions(weights, loaded.spec, own));
  if (positions_LD.defined()) {
    loaded.parameters->Find("encoder.pos_embed").copy_(InterpolatePositions(positions_LD, own, wanted));
  }
  if (own.rows != wanted.rows || own.cols != wanted.cols) {
    loaded.notes.push_back(absl::StrCat("positions: interpolated from ", own.rows, " x ", own.cols, " to ", wanted.rows,
                                        " x ", wanted.cols));
  }
  ASSIGN_OR_RETURN(loaded.projection_DE, ReadProjection(weights, loaded.encoder->width()));
  loaded.digest = weights.Digest();
  loaded.parameters->To(options.device, at::kFloat);
  if (loaded.projection_DE.defined()) loaded.projection_DE = loaded.projection_DE.to(options.device);
  return loaded;
}

}  // namespace

absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path, const LoadOptions& options) {
  ASSIGN_OR_RETURN(const WeightsFile weights, OpenWeights(path));
  ASSIGN_OR_RETURN(const Description description, Describe(weights));
  return Load(weights, description, options);
}

absl::StatusOr<std::vector<std::string>> LoadEncoderInto(const std::string& path, const EncoderSpec& spec,
                                                         const ImageShape& image, Parameters* parameters) {
  ASSIGN_OR_RETURN(const WeightsFile weights, OpenWeights(path));
  ASSIGN_OR_RETURN(const Description description, Describe(weights));
  const SpecComparison comparison = CompareSpecs(description, spec, image, weights.layout.Positions());
  if (!comparison.problems.empty()) return RefuseWeights(weights, comparison.problems);
  ASSIGN_OR_RETURN(LoadedEncoder loaded, Load(weights, description, {image.height_px, image.width_px}));
  const at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters->all()) {
    if (absl::StartsWith(name, "encoder.") && loaded.parameters->Has(name)) {
      at::Tensor(parameter).copy_(loaded.parameters->Find(name));
    }
  }
  loaded.notes.insert(loaded.notes.end(), comparison.notes.begin(), comparison.notes.end());
  return loaded.notes;
}

}  // namespace mimeo
