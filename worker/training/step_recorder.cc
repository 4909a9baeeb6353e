#include "worker/training/step_recorder.h"

#include <c10/util/Exception.h>

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "base/cuda_library.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "worker/cuda/graph.h"

namespace mimeo {
namespace {

// As PyTorch's recipe has it: cuBLAS's workspaces and autograd's nodes are made outside of the graph.
constexpr int kStepsBeforeRecording = 3;

}  // namespace

absl::StatusOr<std::unique_ptr<StepRecorder>> StepRecorder::Create(at::Device device) {
  std::unique_ptr<CudaGraph> graph;
  if (device.is_cuda()) {
    ASSIGN_OR_RETURN(const CudaLibrary* cuda, CudaLibrary::Load());
    RETURN_IF_ERROR(CatchTorch([&] { graph.reset(reinterpret_cast<MakeCudaGraph*>(cuda->Find(kMakeCudaGraph))()); }));
  }
  return absl::WrapUnique(new StepRecorder(std::move(graph)));
}

StepRecorder::StepRecorder(std::unique_ptr<CudaGraph> graph) : graph_(std::move(graph)) {}

StepRecorder::~StepRecorder() = default;

void StepRecorder::Run(absl::Span<const ForwardPass> micro_batches, const Step& step) {
  if (steps_ < kStepsBeforeRecording) {
    ++steps_;
    return step(micro_batches);
  }
  if (recorded_ == nullptr) {
    Record(micro_batches, step);
  } else {
    TakeInputs(micro_batches);
  }
  if (graph_ == nullptr) {
    recorded_(inputs_);
  } else {
    graph_->Replay();
  }
}

void StepRecorder::Record(absl::Span<const ForwardPass> micro_batches, const Step& step) {
  inputs_.assign(micro_batches.begin(), micro_batches.end());
  for (ForwardPass& pass : inputs_) {
    for (at::Tensor* tensor : InputTensors(&pass)) {
      if (tensor->defined()) *tensor = tensor->clone();
    }
  }
  recorded_ = step;
  if (graph_ == nullptr) return;
  const absl::Status status = CatchTorch([&] {
    graph_->Begin();
    step(inputs_);
    graph_->End();
  });
  TORCH_CHECK(status.ok(), "this step cannot be recorded as a CUDA graph; resources.cuda_graph=false does without: ",
              std::string(status.message()));
}

void StepRecorder::TakeInputs(absl::Span<const ForwardPass> micro_batches) {
  TORCH_CHECK(micro_batches.size() == inputs_.size(), micro_batches.size(), " micro-batches for a step recorded with ",
              inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    ForwardPass given = micro_batches[i];
    const std::vector<at::Tensor*> from = InputTensors(&given), to = InputTensors(&inputs_[i]);
    TORCH_CHECK(from.size() == to.size(), from.size(), " tensors for a step recorded with ", to.size());
    for (size_t j = 0; j < from.size(); ++j) {
      if (!to[j]->defined() && !from[j]->defined()) continue;
      TORCH_CHECK(to[j]->defined() && from[j]->defined() && to[j]->sizes() == from[j]->sizes(),
                  "a step was recorded with inputs of other shapes");
      to[j]->copy_(*from[j], /*non_blocking=*/true);
    }
  }
}

}  // namespace mimeo
