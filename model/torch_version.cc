#include "model/torch_version.h"

#include <torch/headeronly/version.h>

namespace mimeo {

std::string TorchVersion() { return TORCH_VERSION; }

}  // namespace mimeo
