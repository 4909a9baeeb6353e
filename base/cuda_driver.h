// The GPUs of this host by NVIDIA's driver alone: no CUDA toolkit, no context on a device, no memory taken. One thread.
#pragma once

#include <vector>

#include "proto/event.pb.h"

namespace mimeo {

// Those that CUDA_VISIBLE_DEVICES shows, in the driver's order; empty where there is no driver or it finds none.
std::vector<DeviceInfo> CudaDevices();

}  // namespace mimeo
