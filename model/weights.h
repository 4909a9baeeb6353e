// Weights files <-> parameters, in the layouts of Mimeo, Hugging Face (ViT, ViTMAE, DINOv2, CLIP), timm, OpenAI's CLIP
// and facebookresearch's MAE, DINO and DINOv2. Strict: every missing, unknown or misshapen key is named.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/safetensors.h"
#include "model/encoder.h"
#include "model/patches.h"
#include "proto/job.pb.h"

namespace mimeo {

using NamedTensors = std::map<std::string, at::Tensor>;

// The tensors look into the view's bytes, which must outlive them and may be read-only (a mapped file); a tensor that
// is not aligned to its type is copied. InvalidArgument: a type that libtorch lacks, named.
absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsView& view);
// Any strides and device; written contiguous. InvalidArgument: a type that safetensors lacks. Others: of
// WriteFileAtomic.
absl::Status WriteSafetensors(const std::string& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata);

// An encoder ready to look at images, from a weights file or a folder that holds one.
struct LoadedEncoder {
  EncoderSpec spec;  // every field set; positions are learned unless they are MAE's sine-cosine ones
  ImageShape image;
  // "mimeo", "timm" (also DINO), "dinov2", "mae" (facebookresearch/mae, with its decoder), "mcmae", "hf-vit" (also
  // DINO), "hf-vit-mae", "hf-dinov2" (with or without registers), "openai-clip", "hf-clip"
  std::string family;
  std::string digest;  // hexadecimal SHA-256 of the file
  PixelStatistics statistics;
  std::shared_ptr<Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  at::Tensor projection_DE;        // CLIP's `proj`: final tokens @ projection_DE; undefined: the file has none
  std::vector<std::string> notes;  // for people, a line each: "heads: 12, assumed from the width"
  at::Device device() const { return parameters->all().front().second.device(); }
};
struct LoadOptions {
  // The size of the images that the encoder shall take, a multiple of its patches; positions are interpolated (bicubic,
  // as MAE and CLIP do). 0: the file's own.
  int height_px = 0;
  int width_px = 0;
  // Where the encoder shall compute, and in what arithmetic.
  at::Device device = at::kCPU;
  Products products = Products::kAsStored;
};
// `path`: a safetensors file, a zip archive of torch.save (a state dict, or one under "model", "state_dict" or
// "teacher"), or a folder with model.safetensors or else pytorch_model.bin. The family is found from the keys. What
// tensors do not say is read from beside them (model/weights/stated.h) or assumed: heads are width / 64 (16 for widths
// 1280 and 1408), the activation is CLIP's quick_gelu for openai-clip and hf-clip, else gelu; the norms' epsilon is
// 1e-5 with CLIP's first norm, 1e-12 for hf-vit, else 1e-6; pixels are normalised by CLIP's statistics for CLIP, else
// by ImageNet's. `notes` says which. facebook/dino-* (hf-vit, "dino-vit" in its path or in config's _name_or_path) get
// 1e-6 and ImageNet's where their files say 1e-12 and 0.5, which DINO was not trained with. Decoders, poolers,
// classifiers and text towers are passed over. float16, bfloat16 and float32 are read as float32. NotFound, DataLoss
// (truncated), InvalidArgument: keys that no known family has, missing and unknown keys, wrong shapes, SwiGLU, a size
// that patches do not tile, NaN or infinity among the encoder's weights: all named.
absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path, const LoadOptions& options = {});

// Copies the encoder weights of a file into parameters named "encoder.*" (--init), which MakeEncoder(spec, image) made;
// gives LoadedEncoder::notes. Learned positions are interpolated where the grid differs; fixed ones stay as they are. A
// mask token stays as it was drawn: no file's encoder has one. Errors as LoadEncoder; also InvalidArgument: another
// architecture (each field of the spec named), or positions that are not sine-cosine for an encoder that keeps those
// fixed. Nothing is copied then.
absl::StatusOr<std::vector<std::string>> LoadEncoderInto(const std::string& path, const EncoderSpec& spec,
                                                         const ImageShape& image, Parameters* parameters);

// What an encoder can be exported as; names are those of LoadedEncoder::family.
enum class WeightsLayout { kHfVit, kHfVitMae, kHfDinov2, kHfClip, kTimm, kMae, kDinov2, kOpenAiClip, kMcmae };
// In the enum's order. ParseWeightsLayout also takes "hf": hf-dinov2 or hf-clip where that can hold `spec`, else
// hf-vit.
const std::vector<std::string>& WeightsLayoutNames();
// InvalidArgument: no such layout; names them all.
absl::StatusOr<WeightsLayout> ParseWeightsLayout(const std::string& name, const EncoderSpec& spec);

// What exported weights are stored as; bfloat16 is rounded to nearest even and half as large.
enum class ExportedType { kFloat32, kBFloat16 };

// Writes OUT/model.safetensors, positions included, and beside it config.json and preprocessor_config.json (Hugging
// Face: AutoModel takes the folder as is), or timm's config.json (timm.create_model("local-dir:OUT", pretrained=True)).
// LoadEncoder takes every one of them. Only "encoder.*" of the checkpoint is read, and the decoder of the one
// reconstruction objective: hf-vit-mae needs one, mae holds it where there is one. InvalidArgument: a layout that
// cannot hold the encoder, with the reasons; missing and misshapen keys, all named. Nothing is written then.
absl::Status ExportEncoder(WeightsLayout layout, const NamedTensors& checkpoint, const JobSpec& spec,
                           const std::string& out_dir, ExportedType type = ExportedType::kFloat32);
// An encoder from anywhere as the checkpoint of a job that says nothing else: what both exports take. CLIP's projection
// is not part of it.
struct EncoderCheckpoint {
  NamedTensors tensors;
  JobSpec spec;
};
EncoderCheckpoint CheckpointOf(const LoadedEncoder& loaded);
// Whole model under Mimeo's names (encoder.*, objective.*), without optimizer state.
absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path,
                               ExportedType type = ExportedType::kFloat32);

}  // namespace mimeo
