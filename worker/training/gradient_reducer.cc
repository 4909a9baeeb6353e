#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <utility>

#include "model/parameters.h"
#include "worker/training/gang_impl.h"

namespace mimeo {
namespace {

// As torch.nn.parallel.DistributedDataParallel: a small first bucket so that reduction starts early, then 25 MiB.
constexpr size_t kFirstBucketBytes = size_t{1} << 20;
constexpr size_t kBucketBytes = size_t{25} << 20;

}  // namespace

struct GradientReducer::Impl {
  std::unique_ptr<c10d::Reducer> reducer;
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
  impl_->reducer = std::make_unique<c10d::Reducer>(
      tensors, std::move(buckets), gang->impl_->group, std::vector<bool>(tensors.size(), false), kBucketBytes,
      /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true, std::move(names), kFirstBucketBytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>{});
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::PrepareForBackward(const at::Tensor& loss) {
  impl_->reducer->prepare_for_forward();
  impl_->reducer->prepare_for_backward({loss});
}

void GradientReducer::Settle() { impl_->reducer->rebuild_buckets(); }

}  // namespace mimeo
