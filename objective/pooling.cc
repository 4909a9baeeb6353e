#include "objective/pooling.h"

#include <ATen/TensorOperators.h>

#include "base/check.h"

namespace mimeo {

at::Tensor Pool(const Encoding& encoding, Pooling pooling) {
  if (pooling == POOLING_MEAN) return encoding.visible_BKD.mean(1);
  MIMEO_CHECK(encoding.class_BD.defined(), "POOLING_CLASS needs an encoder with a class token");
  return encoding.class_BD;
}

}  // namespace mimeo
