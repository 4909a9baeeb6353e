// NCCL's side of worker/training/process_group.h; built with --config=cuda only.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "worker/training/process_group.h"

namespace mimeo {

c10::intrusive_ptr<c10d::Backend> MakeNccl(const c10::intrusive_ptr<c10d::Store>& store, const ProcessGroupOptions& options);

}  // namespace mimeo
