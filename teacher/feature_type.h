// The types of the numbers that features travel as: one row each. Pure; no torch.
#pragma once

#include <string>

#include "proto/teacher.pb.h"

namespace mimeo {

// Bytes of one value. 0: this version does not know the type.
int ValueBytes(TensorType type);

// Its name in proto/teacher.proto; a number where that has no name for it, as from a newer peer.
std::string TypeName(TensorType type);

// The names of all that are known, for messages.
std::string KnownTypes();

}  // namespace mimeo
