// Names and shapes of every tensor that a job trains and keeps, as model/, objective/ and worker/training make them. So
// parameters and the bytes of a checkpoint can be counted where there is no libtorch. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

struct ModelTensor {
  std::string name;  // as in a checkpoint, such as "encoder.blocks.0.attn.qkv.weight"
  std::vector<int64_t> shape;
  bool trained = true;   // false: it stays as it was drawn
  int64_t size() const;  // how many numbers it holds
};

// The width of the tokens that each mimic objective, by its name, is given. It stands in the teacher's weights and not
// in the job, so an objective that is missing here counts as one of kUsualTeacherWidth, which is ViT-B's.
using TeacherWidths = std::map<std::string, int>;
inline constexpr int kUsualTeacherWidth = 768;

// Of the encoder alone, for training crops of `data`. REQUIRES: a resolved spec; so do the others.
std::vector<ModelTensor> EncoderTensors(const EncoderSpec& spec, const DataSpec& data);

// Of the encoder and the heads and decoders of all objectives.
std::vector<ModelTensor> ModelTensors(const JobSpec& spec, const TeacherWidths& teachers);

// Of the moving average: the encoder again, the heads that objectives compare with, and running means. Empty where the
// job keeps none.
std::vector<ModelTensor> AverageTensors(const JobSpec& spec);

// Empty: the loss depends on the parameter in every step. Otherwise it names all parameters that join or leave the loss
// together with this one. That is the parameter itself, for prototypes that stay frozen for a while
// (facebookresearch/dino takes their gradient away), or "objective.NAME", for the head of an objective whose weight
// falls to 0.
std::string CohortOf(const JobSpec& spec, const std::string& name);

}  // namespace mimeo
