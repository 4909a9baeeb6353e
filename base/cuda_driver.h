// The GPUs of this host, as NVIDIA's driver describes them. A process needs no CUDA toolkit to ask, makes no context on
// a device and takes none of its memory, so an agent may ask while other processes compute. One thread.
#pragma once

#include <vector>

#include "proto/event.pb.h"

namespace mimeo {

// The devices that CUDA_VISIBLE_DEVICES leaves visible, in the driver's order. Empty where there is no driver, and
// where the driver finds no device. What the driver does not tell of a device is left empty in its DeviceInfo.
std::vector<DeviceInfo> CudaDevices();

}  // namespace mimeo
