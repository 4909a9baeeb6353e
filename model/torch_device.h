// libtorch's name for a device that was found (base/devices.h).
#pragma once

#include <ATen/core/Tensor.h>

#include "proto/event.pb.h"

namespace mimeo {

// Of the CUDA devices that this process sees the first: an agent shows each rank its own.
inline at::Device TorchDevice(const DeviceInfo& found) {
  return found.device() == DEVICE_CUDA ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

}  // namespace mimeo
