#include "worker/training/train_state.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/any.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "job/job_spec.h"
#include "model/finite.h"
#include "model/weights.h"

namespace mimeo {
namespace {

constexpr char kBadSamples[] = "bad_samples";

std::map<std::string, at::Tensor> NamedState(const TrainState& state) {
  std::map<std::string, at::Tensor> named(state.parameters->all().begin(), state.parameters->all().end());
  for (const auto& [name, tensor] : state.optimizer->State()) named.emplace("optimizer." + name, tensor);
  if (state.average == nullptr) return named;
  for (const auto& [name, tensor] : state.average->State()) named.emplace(name, tensor);
  return named;
}

// Checkpoints of earlier versions have one count for all parameters. A cohort that was live, as its second moments
// show, goes on with that; for one that was not, no step has counted yet.
void SplitSharedCount(const AdamW& optimizer, NamedTensors* found) {
  const auto shared = found->find("optimizer.steps");
  if (shared == found->end()) return;
  for (const auto& [cohort, names] : optimizer.cohorts()) {
    const bool was_live = std::any_of(names.begin(), names.end(), [found](const std::string& name) {
      const auto moments = found->find("optimizer.exp_avg_sq." + name);
      return moments != found->end() && moments->second.any().item<bool>();
    });
    found->emplace("optimizer.steps." + cohort, was_live ? shared->second : at::zeros_like(shared->second));
  }
}

absl::StatusOr<int64_t> Number(const SafetensorsView& view, const std::string& key) {
  const auto found = view.metadata().find(key);
  int64_t number = 0;
  if (found == view.metadata().end() || !absl::SimpleAtoi(found->second, &number)) {
    return absl::DataLossError(absl::StrCat("the checkpoint's metadata has no number \"", key, "\""));
  }
  return number;
}

// "3,17,29"; absent: none.
absl::StatusOr<std::set<int64_t>> BadSamplesOf(const SafetensorsView& view) {
  std::set<int64_t> samples;
  const auto found = view.metadata().find(kBadSamples);
  if (found == view.metadata().end()) return samples;
  for (const absl::string_view text : absl::StrSplit(found->second, ',')) {
    int64_t sample = 0;
    if (!absl::SimpleAtoi(text, &sample) || sample < 0) {
      return absl::DataLossError(absl::StrCat("the checkpoint's metadata \"", kBadSamples, "\" is no list of numbers"));
    }
    samples.insert(sample);
  }
  return samples;
}

absl::Status CheckShapes(const std::map<std::string, at::Tensor>& wanted, const NamedTensors& found) {
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : wanted) {
    const auto at = found.find(name);
    if (at == found.end()) {
      problems.push_back(absl::StrCat(name, " is missing"));
    } else if (at->second.sizes() != tensor.sizes()) {
      problems.push_back(absl::StrCat(name, " is [", absl::StrJoin(at->second.sizes(), ", "), "] where the job has [",
                                      absl::StrJoin(tensor.sizes(), ", "), "]"));
    }
  }
  for (const auto& [name, tensor] : found) {
    if (wanted.count(name) == 0) problems.push_back(absl::StrCat(name, " is unknown"));
  }
  if (problems.empty()) return absl::OkStatus();
  if (problems.size() > 20) {
    const size_t more = problems.size() - 20;
    problems.resize(20);
    problems.push_back(absl::StrCat("and ", more, " more"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the checkpoint is of another model: ", absl::StrJoin(problems, "; ")));
}

// "encoder.norm.weight holds 3 of 64 values that are not finite, ..." of the first such tensor; empty: there is none.
template <typename Named>
std::string FirstNotFinite(const Named& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  if (AllFinite(tensors)) return "";
  for (const auto& [name, tensor] : named) {
    const std::string not_finite = NotFinite(tensor);
    if (!not_finite.empty()) return absl::StrCat(name, " holds ", not_finite);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TrainSnapshot>> TrainSnapshot::Take(const TrainState& state, const JobSpec& spec,
                                                                         const TrainPosition& position) {
  const std::map<std::string, at::Tensor> named = NamedState(state);
  // Steps whose gradient is not finite are skipped, but a rate or a decay can carry a weight beyond the largest number.
  const std::string not_finite = FirstNotFinite(named);
  if (!not_finite.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", position.step, ": no checkpoint is taken, because ", not_finite,
                     ". A lower optimizer.adamw.base_rate or weight_decay, or a longer warm-up may help"));
  }
  const std::shared_ptr<TrainSnapshot> snapshot(new TrainSnapshot());
  for (const auto& [name, tensor] : named) {
    snapshot->device_ = tensor.device();
    snapshot->tensors_[name] = tensor.detach().clone(at::MemoryFormat::Contiguous);
  }
  snapshot->taken_ = DeviceMark::Here(snapshot->device_);
  snapshot->metadata_ = {{"step", absl::StrCat(position.step)},
                         {"epoch", absl::StrCat(position.next.epoch())},
                         {"batch", absl::StrCat(position.next.batch())},
                         {"job", JobSpecText(spec)}};
  if (!position.bad_samples.empty()) snapshot->metadata_[kBadSamples] = absl::StrJoin(position.bad_samples, ",");
  return snapshot;
}

std::string TrainSnapshot::Serialize() const {
  std::map<std::string, at::Tensor> host = tensors_;
  if (!device_.is_cpu()) {
    SideStream stream(device_);
    const DeviceMark copied = stream.Run(taken_, [&] {
      for (auto& [name, tensor] : host) {
        HandOver(tensor);
        tensor = CopyToHost(tensor);
      }
    });
    copied.AwaitOnHost();
  }
  std::map<std::string, TensorBytes> bytes;
  for (const auto& [name, tensor] : host) {
    bytes[name] = {tensor.scalar_type() == at::kDouble ? "F64" : "F32",
                   tensor.sizes().vec(),
                   {static_cast<const char*>(tensor.const_data_ptr()), static_cast<size_t>(tensor.nbytes())}};
  }
  return SerializeSafetensors(bytes, metadata_);
}

int64_t TrainSnapshot::bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

absl::StatusOr<TrainPosition> RestoreTrainState(absl::string_view stream, const TrainState& state) {
  ASSIGN_OR_RETURN(const SafetensorsView view, SafetensorsView::Parse(stream));
  TrainPosition position;
  ASSIGN_OR_RETURN(position.step, Number(view, "step"));
  ASSIGN_OR_RETURN(const int64_t epoch, Number(view, "epoch"));
  ASSIGN_OR_RETURN(const int64_t batch, Number(view, "batch"));
  position.next.set_epoch(epoch);
  position.next.set_batch(batch);
  ASSIGN_OR_RETURN(position.bad_samples, BadSamplesOf(view));
  ASSIGN_OR_RETURN(NamedTensors tensors, ReadTensors(view));
  SplitSharedCount(*state.optimizer, &tensors);
  const std::map<std::string, at::Tensor> named = NamedState(state);
  RETURN_IF_ERROR(CheckShapes(named, tensors));
  const std::string not_finite = FirstNotFinite(tensors);
  if (!not_finite.empty()) return absl::DataLossError(absl::StrCat("the checkpoint is broken: ", not_finite));
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : named) tensor.copy_(tensors.at(name));
  return position;
}

}  // namespace mimeo
