#include "client/metrics_json.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "client/utilization_text.h"

namespace mimeo {

std::string StepJson(const StepMetrics& step) {
  nlohmann::ordered_json json = {
      {"step", step.step()}, {"epoch", step.epoch()}, {"images", step.images()}, {"loss", step.loss()}};
  const std::map<std::string, double> terms(step.terms().begin(), step.terms().end());
  for (const auto& [name, value] : terms) json["loss/" + name] = value;
  const std::map<std::string, double> stats(step.stats().begin(), step.stats().end());
  for (const auto& [name, value] : stats) json["stat/" + name] = value;
  json["learning_rate"] = step.learning_rate();
  json["grad_norm"] = step.grad_norm();
  json["images_per_second"] = step.images_per_second();
  json["data_wait"] = step.data_wait_seconds();
  json["teacher_wait"] = step.teacher_wait_seconds();
  if (step.has_utilization()) {
    const Utilization& rank = step.utilization();
    json["step_seconds"] = rank.step_seconds();
    json["communication"] = rank.communication_seconds();
    json["gflop_per_second"] = rank.gflop_per_second();
    if (const double share = ModelFlopsUtilization(rank); share > 0) json["mfu"] = share;
    json["peak_memory_bytes"] = rank.peak_memory_bytes();
  }
  if (step.has_time()) json["time"] = step.time().seconds();
  return JsonText(json);
}

std::string EvaluationJson(const EvaluationResult& evaluation) {
  nlohmann::ordered_json json = {{"step", evaluation.step()}};
  const std::map<std::string, double> values(evaluation.values().begin(), evaluation.values().end());
  for (const auto& [name, value] : values) json[name] = value;
  if (evaluation.has_time()) json["time"] = evaluation.time().seconds();
  return JsonText(json);
}

}  // namespace mimeo
