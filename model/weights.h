// Weights files to parameters and back, in the layouts of Mimeo, Hugging Face (ViT, ViTMAE, DINOv2, CLIP), timm,
// OpenAI's CLIP and facebookresearch's MAE, DINO and DINOv2. Reading is strict: every missing, unknown or misshapen key
// is named in one message. All functions block while they read or write a file, and any thread may call them.
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

// The tensors look into the view's bytes, which must outlive them and may be read-only, as a mapped file is. A tensor
// that is not aligned to its type is copied. InvalidArgument: libtorch lacks a type; the message names it.
absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsView& view);
// Tensors may have any strides and device; they are written contiguous. InvalidArgument: safetensors lacks a type,
// or its readers would refuse the header (CheckSafetensorsHeader). Other errors are those of WriteFileAtomic.
absl::Status WriteSafetensors(const std::string& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata);

// An encoder ready to look at images, from a weights file or a folder that holds one.
struct LoadedEncoder {
  EncoderSpec spec;  // every field set; positions are learned unless they are MAE's sine-cosine ones
  ImageShape image;
  // "mimeo", "timm" (also DINO), "dinov2", "mae" (facebookresearch/mae, with its decoder), "mcmae", "hf-vit" (also
  // DINO), "hf-vit-mae", "hf-dinov2" (with or without registers), "openai-clip", "hf-clip"
  std::string family;
  // Hexadecimal SHA-256 of the file. Of shards: that of their digests, a line each, in the order of their names, as
  // `sha256sum model-* | cut -c1-64 | sha256sum` prints it.
  std::string digest;
  PixelStatistics statistics;
  std::shared_ptr<Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  at::Tensor projection_DE;        // CLIP's `proj`: final tokens @ projection_DE; undefined: the file has none
  std::vector<std::string> notes;  // for people, a line each: "heads: 12, assumed from the width"
  at::Device device() const { return parameters->all().front().second.device(); }
};
// How an encoder is to be loaded.
struct LoadOptions {
  // The size of the images that the encoder shall take, a multiple of its patches. Positions are interpolated (bicubic,
  // as MAE and CLIP do). 0 means the file's own size.
  int height_px = 0;
  int width_px = 0;
  // The device on which the encoder shall compute, and its arithmetic.
  at::Device device = at::kCPU;
  Products products = Products::kAsStored;
};
// `path` is a safetensors file, a zip archive of torch.save (a state dict, or one under "model", "state_dict" or
// "teacher"), the index of such files (model.safetensors.index.json), or a folder with one of them under Hugging Face's
// name. The keys tell the family; what wrappers put before them is taken off (model/weights/key_names.h). float16,
// bfloat16 and float32 are read as float32. Decoders, poolers, classifiers, text towers and integer buffers are passed
// over.
//
// What the tensors do not say is read from beside them (model/weights/stated.h) or assumed, and `notes` says which.
// Heads are width / 64 (16 for widths 1280 and 1408). The activation is CLIP's quick_gelu for openai-clip and hf-clip,
// and otherwise gelu. The norms' epsilon is 1e-5 with CLIP's first norm, 1e-12 for hf-vit, and otherwise 1e-6. Pixels
// are normalised by CLIP's statistics for CLIP, and otherwise by ImageNet's. facebook/dino-* (hf-vit, with "dino-vit"
// in its path or in config's _name_or_path) get 1e-6 and ImageNet's where their files say 1e-12 and 0.5, with which
// DINO was not trained.
//
// NotFound: no such file or shard. DataLoss: truncated, or something else in place of weights, such as a Git LFS
// pointer. InvalidArgument, all problems named: no known family has such keys, two encoders are in it, keys are missing
// or unknown, shapes are wrong or not those that config.json states, MLPs are SwiGLU, patches do not tile the size, or
// the encoder's weights hold NaN or infinity.
absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path, const LoadOptions& options = {});

// Copies the encoder weights of a file into the parameters "encoder.*" that MakeEncoder(spec, image) made, and returns
// LoadedEncoder::notes. A job's init_weights comes in so. Learned positions are interpolated where the grid differs,
// and fixed ones stay as they are. A mask token stays as it was drawn, because no file's encoder has one.
//
// Errors are those of LoadEncoder. InvalidArgument also means another architecture (each field of the spec is named),
// or positions that are not sine-cosine for an encoder that keeps those fixed. After an error nothing was copied.
absl::StatusOr<std::vector<std::string>> LoadEncoderInto(const std::string& path, const EncoderSpec& spec,
                                                         const ImageShape& image, Parameters* parameters);

// What an encoder can be exported as. The names are those of LoadedEncoder::family.
enum class WeightsLayout { kHfVit, kHfVitMae, kHfDinov2, kHfClip, kTimm, kMae, kDinov2, kOpenAiClip, kMcmae };
// The names in the enum's order. ParseWeightsLayout also takes "hf": hf-dinov2 or hf-clip where that can hold `spec`,
// and otherwise hf-vit.
const std::vector<std::string>& WeightsLayoutNames();
// InvalidArgument: there is no such layout; the message names them all.
absl::StatusOr<WeightsLayout> ParseWeightsLayout(const std::string& name, const EncoderSpec& spec);

// What exported weights are stored as. bfloat16 is rounded to nearest even and is half as large.
enum class ExportedType { kFloat32, kBFloat16 };

// Writes OUT/model.safetensors, positions included. Beside it stand config.json and preprocessor_config.json for
// Hugging Face, whose AutoModel takes the folder as it is, or timm's config.json (timm.create_model("local-dir:OUT",
// pretrained=True)). LoadEncoder takes every one of these layouts.
//
// Of the checkpoint only "encoder.*" is read, and the decoder of the one reconstruction objective: hf-vit-mae needs
// one, and mae holds it where there is one. InvalidArgument: the layout cannot hold the encoder, with the reasons, or
// keys are missing or misshapen or hold NaN or infinity, all named. Then nothing is written.
absl::Status ExportEncoder(WeightsLayout layout, const NamedTensors& checkpoint, const JobSpec& spec,
                           const std::string& out_dir, ExportedType type = ExportedType::kFloat32);
// An encoder from anywhere, as the checkpoint of a job that says nothing else: both exports take this. CLIP's
// projection is not a part of it.
struct EncoderCheckpoint {
  NamedTensors tensors;
  JobSpec spec;
};
EncoderCheckpoint CheckpointOf(const LoadedEncoder& loaded);
// Writes the whole model under Mimeo's names (encoder.*, objective.*), without optimizer state. InvalidArgument: NaN or
// infinity in it, or after rounding to `type`.
absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path,
                               ExportedType type = ExportedType::kFloat32);

}  // namespace mimeo
