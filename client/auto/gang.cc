#include "client/auto/gang.h"

#include <algorithm>

namespace mimeo {
namespace {

// Batches: the comparisons of docs/benchmarks/methods.md trained with 64 images a step; a GPU wants more to be busy.
constexpr int64_t kBatchMost = 64;
constexpr int64_t kBatchPerGpu = 256;
constexpr int64_t kBatchLeast = 16;  // BatchNorm and the contrast compare the images of a batch with each other
// Fewer steps than this in an epoch leave too few of them in a short training.
constexpr int64_t kStepsPerEpoch = 8;
// A rank with fewer images than this waits for the others longer than it computes.
constexpr int64_t kImagesPerRank = 8;
// More ranks than this on one host spend their time on exchanging gradients; they get more threads instead.
constexpr int kRanksMost = 8;
// Of the memory; the rest is for the system, for page cache, and for what the person has open.
constexpr double kMemoryShare = 0.7;
constexpr int64_t kProcessBytes = int64_t{400} << 20;  // of a process with libtorch, before it has a model
constexpr int64_t kBytesPerWeight = 20;  // weight, gradient, AdamW's two moments, and one copy for a checkpoint
constexpr int64_t kNumbersPerTokenAndWidth = 34;  // that a transformer block keeps for its backward pass

int64_t PowerOfTwoUpTo(int64_t most) {
  int64_t power = 1;
  while (power * 2 <= most) power *= 2;
  return power;
}

int64_t RankBytes(const Size& size, Method method, int64_t images, const Machine& machine) {
  const double tokens = method == Method::kSimClr ? 2.0 * size.patches() : 0.25 * size.patches() + 1;
  const double activations = static_cast<double>(images) * tokens * size.width * size.depth * kNumbersPerTokenAndWidth *
                             (machine.gpu_bfloat16 ? 2 : 4);
  return kProcessBytes + size.parameters() * kBytesPerWeight + static_cast<int64_t>(activations);
}

}  // namespace

Gang ShareOut(const Size& size, Method method, int64_t trained, const Machine& machine, int asked,
              int64_t teacher_parameters) {
  const bool gpu = machine.gpus > 0;
  Gang gang;
  const int64_t most = gpu ? kBatchPerGpu * machine.gpus : kBatchMost;
  gang.batch = std::clamp(PowerOfTwoUpTo(std::max<int64_t>(1, trained / kStepsPerEpoch)), kBatchLeast, most);
  if (gpu && machine.gpus % 2 != 0) gang.batch = gang.batch / machine.gpus * machine.gpus;
  const int64_t teacher = teacher_parameters == 0 ? 0 : kProcessBytes + 4 * teacher_parameters;
  gang.memory_bytes = static_cast<int64_t>(
      kMemoryShare * static_cast<double>(gpu ? machine.gpu_memory_bytes * machine.gpus : machine.memory_bytes));
  gang.memory_bytes -= teacher;
  const int64_t room = std::max<int64_t>(1, gang.batch / kImagesPerRank);
  int64_t ranks = gpu ? std::min<int64_t>(machine.gpus, room)
                      : PowerOfTwoUpTo(std::min<int64_t>({machine.cores, kRanksMost, room}));
  if (asked > 0) ranks = asked;
  while (true) {
    gang.ranks = static_cast<int>(ranks);
    gang.batch = std::max<int64_t>(gang.batch / ranks, 1) * ranks;
    gang.rank_bytes = RankBytes(size, method, gang.batch / ranks, machine);
    if (gang.fits()) break;
    if (!gpu && asked == 0 && ranks > 1) {
      ranks /= 2;
    } else if (gang.batch / 2 >= std::max(kBatchLeast, ranks)) {
      gang.batch /= 2;
    } else {
      break;
    }
  }
  gang.threads = std::max(1, machine.cores / gang.ranks);
  return gang;
}

}  // namespace mimeo
