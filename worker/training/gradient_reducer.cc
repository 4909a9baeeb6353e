#include <algorithm>
#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <utility>

#include "model/parameters.h"
#include "worker/training/gang_impl.h"

namespace mimeo {
namespace {

// As torch.nn.parallel.DistributedDataParallel: a small first bucket so that reduction starts early, then 25 MiB.
constexpr size_t kFirstBucketBytes = size_t{1} << 20;
constexpr size_t kBucketBytes = size_t{25} << 20;
constexpr int kMeasuredEverySteps = 10;

}  // namespace

struct GradientReducer::Impl {
  std::shared_ptr<c10d::Reducer> reducer;
  std::shared_ptr<c10d::Logger> logger;  // reads the reducer's own clocks
};

GradientReducer::GradientReducer(Gang* gang, const Parameters& parameters) : impl_(std::make_unique<Impl>()) {
  std::vector<at::Tensor> tensors;
  std::unordered_map<size_t, std::string> names;
  for (const auto& [name, tensor] : parameters.trained()) {
    names[tensors.size()] = name;
    tensors.push_back(tensor);
  }
  auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(tensors, {kFirstBucketBytes, kBucketBytes});
  std::reverse(buckets.begin(), buckets.end());  // gradients arrive last layer first
  impl_->reducer = std::make_shared<c10d::Reducer>(
      tensors, std::move(buckets), gang->impl_->group, std::vector<bool>(tensors.size(), false), kBucketBytes,
      /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true, std::move(names), kFirstBucketBytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>{});
  impl_->reducer->set_ddp_runtime_logging_sample_rate(kMeasuredEverySteps);
  impl_->logger = std::make_shared<c10d::Logger>(impl_->reducer);
  impl_->reducer->set_logger(impl_->logger);
  impl_->logger->set_construction_data_and_log("mimeo", {}, -1, /*broadcast_buffers=*/false, /*has_sync_bn=*/false,
                                               /*static_graph=*/false);
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::PrepareForBackward(const at::Tensor& loss) {
  impl_->logger->set_runtime_stats_and_log();
  impl_->reducer->prepare_for_forward();
  impl_->reducer->prepare_for_backward({loss});
}

absl::Duration GradientReducer::exposed_communication() const {
  const at::DDPLoggingData data = impl_->logger->get_ddp_logging_data();
  const auto nanoseconds = [&](const char* name) {
    const auto found = data.ints_map.find(name);
    return found == data.ints_map.end() ? int64_t{0} : found->second;
  };
  return absl::Nanoseconds(
      std::max<int64_t>(0, nanoseconds("backward_comm_time") - nanoseconds("backward_compute_comm_overlap_time")));
}

void GradientReducer::Settle() { impl_->reducer->rebuild_buckets(); }

}  // namespace mimeo
