// Which libtorch this binary was built against.
#pragma once

#include <string>

namespace mimeo {

std::string TorchVersion();  // "2.11.0"

}  // namespace mimeo
