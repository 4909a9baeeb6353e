// What holds for a picture of every format, however it is damaged.
#pragma once

#include "absl/strings/string_view.h"

namespace mimeo::fuzz {

// Its size is within the bound or it is refused, before memory is taken for what the header claims. A part of it, which
// follows from the bytes, is bit-equal to the same part of the whole.
void CheckPicture(absl::string_view bytes);

}  // namespace mimeo::fuzz
