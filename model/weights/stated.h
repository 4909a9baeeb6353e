// What the files around the tensors say about an encoder: config.json and preprocessor_config.json (Hugging Face,
// timm), the file's metadata, and the job in it. Pure functions; no torch.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// A value and where it was read. Messages and notes name the place, so that a person knows which file to mend.
template <typename T>
struct Said {
  T value;
  std::string where;
};

// A size of the encoder that config.json states, although the tensors tell it: where the two differ, the one stands
// beside the other by mistake.
enum class EncoderSize { kBlocks, kWidth, kPatchPx, kChannels, kMlpWidth, kRegisterTokens };
struct StatedSize {
  EncoderSize size;
  Said<int> said;
};

// Everything that was said. A value that nobody states is empty.
struct Stated {
  std::optional<Said<int>> heads;
  std::optional<Said<double>> norm_epsilon;
  std::optional<Said<Activation>> activation;
  std::optional<Said<std::pair<int, int>>> image_px;  // height, width
  std::optional<Said<std::vector<double>>> mean;      // per channel
  std::optional<Said<std::vector<double>>> std;
  std::optional<Said<JobSpec>> job;
  std::vector<StatedSize> sizes;
  std::vector<std::string> problems;  // values that make no sense, or ask for what VitEncoder lacks
};

// The texts that are read for it, already parsed.
struct WeightsSurroundings {
  nlohmann::json config;        // config.json of the folder; an object, perhaps empty
  nlohmann::json preprocessor;  // preprocessor_config.json, likewise
  std::map<std::string, std::string> metadata;
};

// For each value the first place that states it counts. The order is: config.json (its vision_config, and its
// pretrained_cfg and model_args, where it has them), preprocessor_config.json, the metadata's `num_heads`,
// `norm_epsilon`, `activation` (gelu, quick_gelu), `image_height_px` and `image_width_px`, and at last the metadata's
// `job`, the text of a JobSpec. A value that makes no sense becomes a problem in place of an error, so that all
// problems of a file are named together.
Stated ReadStated(const WeightsSurroundings& surroundings);

// A problem for each size that is not what `read` has from the tensors; a size that `read` lacks is not compared. Each
// message has both numbers.
std::vector<std::string> CompareSizes(const Stated& stated, const std::map<EncoderSize, int>& read);

}  // namespace mimeo
