// The report of a run as one HTML page that needs no script and no other file. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/coordinator.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

struct RunReport {
  Job job;
  std::string job_text;  // resolved
  std::vector<StepMetrics> steps;
  std::vector<EvaluationResult> evaluations;
  std::vector<std::pair<std::string, std::string>> reconstructions;  // name, PNG bytes
  bool reconstructions_held_out = false;                             // of images that were not trained on
  std::string machine;                                               // "CPU NAME, 2 cores: 2 workers with ..."
  double seconds = 0;  // from the start of the processes to their end; of the last session where there were several
};

std::string HtmlReport(const RunReport& report);

}  // namespace mimeo
