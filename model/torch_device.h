// libtorch's name for a device that base/devices.h found.
#pragma once

#include <ATen/core/Tensor.h>

#include "proto/event.pb.h"

namespace mimeo {

// A CUDA device is always number 0, because an agent shows each rank its own device alone (CUDA_VISIBLE_DEVICES).
// FindDevices has loaded CUDA by then (base/cuda_library.h).
inline at::Device TorchDevice(const DeviceInfo& found) {
  return found.device() == DEVICE_CUDA ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

}  // namespace mimeo
