// The types that the numbers of features may have while they travel, one row each. Any thread may call this; no torch.
#pragma once

#include <string>

#include "proto/teacher.pb.h"

namespace mimeo {

// How many bytes one value has. 0: this version does not know the type.
int ValueBytes(TensorType type);

// Its name in proto/teacher.proto; a number where that has no name for it, as for one that a newer peer sent.
std::string TypeName(TensorType type);

// The names of all types that are known, for messages.
std::string KnownTypes();

}  // namespace mimeo
