// The JSON files that stand beside exported weights. Pure functions.
#pragma once

#include <string>

#include "model/patches.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class WeightsLayout;  // model/weights.h
enum class ExportedType;   // likewise

// The text of config.json, or "" for layouts that have none. `no_embed_class` is timm's word for positions without rows
// for class and register tokens. REQUIRES: the layout can hold the job's encoder.
std::string ConfigJson(WeightsLayout layout, const JobSpec& spec, bool no_embed_class, ExportedType type);

// The text of preprocessor_config.json: the evaluation crop of `mimeo embed`, which scales the short side to 256/224 of
// the size and then cuts out the centre.
std::string PreprocessorJson(const DataSpec& data);

// The statistics that the job normalises by; ImageNet's where a job of an earlier version does not say.
PixelStatistics ExportedStatistics(const DataSpec& data);

}  // namespace mimeo
