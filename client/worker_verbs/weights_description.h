// What an encoder's weights are, as `worker describe` says. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

struct WeightsDescription {
  std::string path;
  std::string family;  // such as "hf-vit" or "dinov2" (model/weights.h)
  int64_t parameters = 0;
  int channels = 3;
  int height_px = 0;  // of the images that the weights were trained on
  int width_px = 0;
  std::vector<double> pixel_mean;  // per channel
  std::vector<double> pixel_std;
  EncoderSpec encoder;
};

// Reads what `worker describe` prints. Internal: a field is missing, or is not what it should be.
absl::StatusOr<WeightsDescription> ParseWeightsDescription(const nlohmann::json& object);

// Runs `worker describe` on the file or folder. The errors are those of WorkerJson and ParseWeightsDescription; those
// of WorkerJson begin with `flag`, such as "--from".
absl::StatusOr<WeightsDescription> DescribeWeights(const std::string& flag, const std::string& path);

}  // namespace mimeo
