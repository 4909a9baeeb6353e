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

absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsView& view);   // zero-copy where it can be; keeps no reference
absl::Status WriteSafetensors(const std::string& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata);

// An encoder ready to look at images, from a weights file or a folder that holds model.safetensors.
struct LoadedEncoder {
  EncoderSpec spec;
  int image_px = 0;
  std::string family;              // "mimeo", "hf-vit", "hf-vit-mae", "timm", "mae"
  std::string digest;              // hexadecimal SHA-256 of the file
  PixelStatistics statistics;
  std::shared_ptr<Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
};
// NotFound, DataLoss (truncated), InvalidArgument: keys that no known family has, missing keys, wrong shapes: all named.
absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path);

// Copies the encoder weights of a file into parameters named "encoder.*" (--init). Errors as LoadEncoder.
absl::Status LoadEncoderInto(const std::string& path, Parameters* parameters);

// Writes OUT/model.safetensors, config.json and preprocessor_config.json in Hugging Face's `vit` layout, positions included:
// AutoModel.from_pretrained takes it as is.
absl::Status ExportHfVit(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_dir);
// Whole model under Mimeo's names (encoder.*, objective.*), without optimizer state.
absl::Status ExportSafetensors(const NamedTensors& checkpoint, const JobSpec& spec, const std::string& out_path);

}  // namespace mimeo
