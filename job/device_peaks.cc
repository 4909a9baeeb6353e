#include "job/device_peaks.h"

#include "absl/strings/match.h"

namespace mimeo {
namespace {

struct Peak {
  const char* name;  // the driver's, or what it begins with
  double bfloat16_tflops;
  double float32_tflops;
};

// NVIDIA's data sheets: H200 (2024), H100 (2023: SXM, PCIe, NVL), A100 (2021), L40S (2023), L4 (2023), A10 (2021), A40
// (2021), and the Blackwell (2024) and Ada (2022) architecture papers for B200 and GeForce. Halved where a sheet gives
// sparse figures only. A longer name stands before its own beginning.
constexpr Peak kPeaks[] = {
    {"NVIDIA B200", 2250, 75},       {"NVIDIA H200 NVL", 835, 60}, {"NVIDIA H200", 989.4, 66.9},
    {"NVIDIA H100 PCIe", 756, 51.2}, {"NVIDIA H100 NVL", 835, 60}, {"NVIDIA H100 80GB HBM3", 989.4, 66.9},
    {"NVIDIA A100", 312, 19.5},      {"NVIDIA L40S", 362, 91.6},   {"NVIDIA L4", 121, 30.3},
    {"NVIDIA A10", 125, 31.2},       {"NVIDIA A40", 149.7, 37.4},  {"NVIDIA GeForce RTX 4090", 165.2, 82.6},
};

// "NVIDIA A10" is not the beginning of "NVIDIA A100-SXM4-40GB", nor of "NVIDIA A10G".
bool Names(const std::string& device, const std::string& entry) {
  return absl::StartsWith(device, entry) &&
         (device.size() == entry.size() || device[entry.size()] == ' ' || device[entry.size()] == '-');
}

}  // namespace

double PeakGflopPerSecond(const std::string& device_name, Precision precision) {
  for (const Peak& peak : kPeaks) {
    if (Names(device_name, peak.name)) {
      return 1000 * (precision == PRECISION_BF16 ? peak.bfloat16_tflops : peak.float32_tflops);
    }
  }
  return 0;
}

}  // namespace mimeo
