// The report of a run: one HTML page that a person opens in a browser. It needs no script and no other file, so it can
// be sent to somebody else. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/coordinator.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// What the page is made of. What is empty gets no section.
struct RunReport {
  Job job;
  std::string job_text;                       // the resolved recipe, which is shown whole
  std::vector<StepMetrics> steps;             // ascending by step
  std::vector<EvaluationResult> evaluations;  // likewise
  // What the run came to in words, one sentence or some in each. Empty: nobody has judged it.
  std::vector<std::string> verdict;
  // The name and the PNG bytes of each picture. They become a part of the page, so a few of them are enough.
  std::vector<std::pair<std::string, std::string>> reconstructions;
  // Whether those pictures are of images that were not trained on.
  bool reconstructions_held_out = false;
  // What the run computed on, such as "CPU NAME, 2 cores: 2 workers with 1 thread each".
  std::string machine;
  // The time from the start of the processes to their end. Of a run that was continued, that of its last session; 0:
  // the session that trained did not live to write its report.
  double seconds = 0;
};

// The whole page. The numbers are those of rank 0, and every name in them may be any bytes: they are made text and
// escaped.
std::string HtmlReport(const RunReport& report);

}  // namespace mimeo
