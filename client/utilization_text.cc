#include "client/utilization_text.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace mimeo {

double ModelFlopsUtilization(const Utilization& utilization) {
  const double peak = utilization.peak_gflop_per_second();
  return peak > 0 ? utilization.gflop_per_second() / peak : 0;
}

double ComputeSeconds(const Utilization& utilization) {
  const double waits =
      utilization.communication_seconds() + utilization.data_wait_seconds() + utilization.teacher_wait_seconds();
  // Communication is of another step than the rest now and then.
  return std::max(0.0, utilization.step_seconds() - waits);
}

std::string UtilizationText(const Utilization& utilization) {
  const double share = ModelFlopsUtilization(utilization);
  const std::string mfu = share > 0 ? absl::StrFormat("%.1f%%", 100 * share) : "unknown";
  return absl::StrFormat(
      "step %.3fs: compute %.3fs, communication %.3fs, images %.3fs, teacher %.3fs; %.1f GFLOP/s, MFU %s; %.0f MB at "
      "most",
      utilization.step_seconds(), ComputeSeconds(utilization), utilization.communication_seconds(),
      utilization.data_wait_seconds(), utilization.teacher_wait_seconds(), utilization.gflop_per_second(), mfu,
      1e-6 * static_cast<double>(utilization.peak_memory_bytes()));
}

}  // namespace mimeo
