// What a Gang holds. Only gang.cc and gradient_reducer.cc include this, because c10d's headers are heavy.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "worker/training/gang.h"

namespace mimeo {

struct Gang::Impl {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

}  // namespace mimeo
