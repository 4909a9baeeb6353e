// A JPEG from anywhere (picture.h says what is asserted). Inputs of other formats belong to the targets beside this
// one.
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/picture.h"

namespace mimeo::fuzz {

FUZZ_TARGET(jpeg) { CheckPicture(bytes); }

}  // namespace mimeo::fuzz
