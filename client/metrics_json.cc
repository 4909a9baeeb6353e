#include "client/metrics_json.h"

#include <nlohmann/json.hpp>

namespace mimeo {

std::string StepJson(const StepMetrics& step) {
  nlohmann::ordered_json json = {{"step", step.step()}, {"epoch", step.epoch()}, {"images", step.images()}, {"loss", step.loss()}};
  const std::map<std::string, double> terms(step.terms().begin(), step.terms().end());
  for (const auto& [name, value] : terms) json["loss/" + name] = value;
  const std::map<std::string, double> stats(step.stats().begin(), step.stats().end());
  for (const auto& [name, value] : stats) json["stat/" + name] = value;
  json["learning_rate"] = step.learning_rate();
  json["grad_norm"] = step.grad_norm();
  json["images_per_second"] = step.images_per_second();
  json["data_wait"] = step.data_wait_seconds();
  json["teacher_wait"] = step.teacher_wait_seconds();
  return json.dump();
}

std::string EvaluationJson(const EvaluationResult& evaluation) {
  nlohmann::ordered_json json = {{"step", evaluation.step()}};
  const std::map<std::string, double> values(evaluation.values().begin(), evaluation.values().end());
  for (const auto& [name, value] : values) json[name] = value;
  return json.dump();
}

}  // namespace mimeo
