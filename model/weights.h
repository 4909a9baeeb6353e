// Weights files <-> parameters: safetensors in the layouts of Mimeo, Hugging Face (vit, vit_mae), timm and
// facebookresearch/mae. Strict: every missing, unknown or misshapen key is named.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/safetensors.h"
#include "model/encoder.h"
#include "model/patches.h"
#include "proto/job.pb.h"

namespace mimeo {

using NamedTensors = std::map<std::string, at::Tensor>;

// The tensors look into the view's bytes, which must outlive them and may be read-only (a mapped file); a tensor that is not
// aligned to its type is copied. InvalidArgument: a type that libtorch lacks, named.
absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsView& view);
// Any strides and device; written contiguous. InvalidArgument: a type that safetensors lacks. Others: of WriteFileAtomic.
absl::Status WriteSafetensors(const std::string& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata);

// An encoder ready to look at images, from a weights file or a folder that holds model.safetensors.
struct LoadedEncoder {
  EncoderSpec spec;
  int image_px = 0;
  std::string family;              // "mimeo", "hf-vit", "hf-vit-mae", "timm", "mae" (facebookresearch/mae, with its decoder)
  std::string digest;              // hexadecimal SHA-256 of the file
  PixelStatistics statistics;
  std::shared_ptr<Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
};
// What the tensors do not say comes from beside them: the job in the file's metadata (mimeo), config.json and
// preprocessor_config.json in its folder (Hugging Face); timm and mae files are told by width how many heads they have
// (192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16) unless their metadata holds `num_heads`. Learned positions are kept.
// Decoders, poolers and classifiers in the file are passed over.
// NotFound, DataLoss (truncated), InvalidArgument: keys that no known family has, missing keys, wrong shapes: all named.
absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path);

// Copies the encoder weights of a file into parameters named "encoder.*" (--init). Errors as LoadEncoder; also InvalidArgument
// for weights of another shape and for positions that are not sine-cosine, since a training encoder keeps those fixed. The
// file's resolution may differ.
absl::Status LoadEncoderInto(const std::string& path, Parameters* parameters);

// Writes OUT/model.safetensors, config.json and preprocessor_config.json in Hugging Face's `vit` layout, positions included:
// AutoModel.from_pretrained takes it as is, and LoadEncoder too. Only "encoder.*" of the checkpoint is read.
// InvalidArgument: missing and misshapen keys, all named.
absl::Status ExportHfVit(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_dir);
// Whole model under Mimeo's names (encoder.*, objective.*), without optimizer state.
absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path);

}  // namespace mimeo
