// The numbers of training as JSON: one line of metrics.jsonl, and what `mimeo metrics -o json` prints. Pure.
#pragma once

#include <string>

#include "proto/metrics.pb.h"

namespace mimeo {

// {"step":1,"epoch":..,"images":..,"loss":..,"loss/<objective>":..,"learning_rate":..,"grad_norm":..,"images_per_second":..,
//  "data_wait":seconds,"teacher_wait":seconds}. A loss that is not finite becomes null, because JSON has no number for
//  it.
std::string StepJson(const StepMetrics& step);

// {"step":0,"knn_accuracy":..,"held_out_loss/<objective>":..}
std::string EvaluationJson(const EvaluationResult& evaluation);

}  // namespace mimeo
