#include "model/compute_settings.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

namespace mimeo {

void SetUpCompute(int threads) {
  at::set_num_threads(threads);
  // Denormals cost a hundred times a product's time, and nothing here is that small and matters.
  at::globalContext().setFlushDenormal(true);
  // PRECISION_FP32 means it: cuDNN would round its inputs to TF32.
  at::globalContext().setAllowTF32CuDNN(false);
}

}  // namespace mimeo
