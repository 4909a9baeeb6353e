// The JSON files beside exported weights. Pure functions.
#pragma once

#include <string>

#include "model/patches.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class WeightsLayout;  // model/weights.h
enum class ExportedType;   // likewise

// config.json; "" for layouts that have none. REQUIRES: the layout can hold the job's encoder. `no_embed_class` is
// timm's: positions without rows for class and register tokens.
std::string ConfigJson(WeightsLayout layout, const JobSpec& spec, bool no_embed_class, ExportedType type);

// preprocessor_config.json: the evaluation crop of `mimeo embed`, short side to 256/224 of the size, then the centre.
std::string PreprocessorJson(const DataSpec& data);

// Those that the job normalises by; ImageNet's where a job of an earlier version does not say.
PixelStatistics ExportedStatistics(const DataSpec& data);

}  // namespace mimeo
