// Ten steps of each method from the same weights, crops and masks as its authors' own code took them (train.py): the
// losses agree. So forward and backward pass, clipping, weight decay, schedules and averages are theirs.
//
// MIMEO_WRITE_INPUTS=FOLDER writes there what train.py starts from, in place of comparing (scripts/authors).
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/testing/status_matchers.h"
#include "data/dataset.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "model/compute_settings.h"
#include "model/patches.h"
#include "model/weights.h"
#include "worker/training/gang.h"
#include "worker/training/schedule.h"
#include "worker/training/training_run.h"

namespace mimeo {
namespace {

constexpr int64_t kSteps = 10;
constexpr double kTolerance = 2e-6;  // of a loss

JobSpec Job(const std::string& method) {
  const std::string path = absl::StrCat("tests/authors/", method, ".textproto");
  JobSpec spec = ParseRecipe(ReadFile(path).value(), path).value();
  spec.mutable_data()->set_path("examples/clothing/train");
  return ResolveJobSpec(spec).value();
}

class AuthorsTest : public ::testing::TestWithParam<std::string> {
 protected:
  AuthorsTest() : spec_(Job(GetParam())), gang_(Gang::Join(GangOptions()).value()) {
    SetUpCompute(/*threads=*/1);
    RunSetting setting;
    setting.spec = spec_;
    run_ = std::make_unique<TrainingRun>(setting);
    EXPECT_OK(run_->MakeModel({}));
  }

  // Parameters and constants.
  NamedTensors Weights() const {
    NamedTensors weights;
    const Parameters& parameters = *run_->model().parameters;
    for (const auto* list : {&parameters.all(), &parameters.constants()}) {
      for (const auto& [name, tensor] : *list) weights[name] = tensor.detach();
    }
    return weights;
  }

  void WriteInputs(const std::string& folder);
  void TakeWeights(const NamedTensors& golden);
  ForwardPass Pass(const NamedTensors& golden, int64_t step) const;

  const JobSpec spec_;
  const std::unique_ptr<Gang> gang_;
  std::unique_ptr<TrainingRun> run_;
};

void AuthorsTest::WriteInputs(const std::string& folder) {
  NamedTensors inputs;
  for (const auto& [name, tensor] : Weights()) inputs["weight/" + name] = tensor.clone();
  ASSERT_OK(run_->MakeStep(gang_.get()));
  ASSERT_OK_AND_ASSIGN(const auto dataset, Dataset::Open(spec_.data().path()));
  ASSERT_OK(run_->OpenBatches(dataset.get(), kSteps, {}));
  std::map<std::string, std::vector<at::Tensor>> steps;
  for (int64_t step = 0; step < kSteps; ++step) {
    ASSERT_OK_AND_ASSIGN(const StepBatch batch, run_->batches()->NextStep());
    ASSERT_TRUE(batch.complete);
    for (const ViewInput& view : batch.micro_batches.front().views) {
      const PixelStatistics statistics = StatisticsOf(spec_.data());
      at::Tensor bytes = view.images_BCHW.clone();
      for (int64_t c = 0; c < bytes.size(1); ++c) {
        bytes.select(1, c).mul_(statistics.std[c]).add_(statistics.mean[c]).mul_(255);
      }
      steps[absl::StrCat("view/", view.view)].push_back(bytes.round().to(at::kByte));
      steps[absl::StrCat("visible/", view.view)].push_back(view.plan.visible_BK);
      steps[absl::StrCat("hidden/", view.view)].push_back(view.plan.hidden_BM);
    }
  }
  for (const auto& [name, tensors] : steps) inputs[name] = at::stack(tensors);
  ASSERT_OK(WriteSafetensors(JoinPath(folder, GetParam() + ".safetensors"), inputs, {}));
}

// Into the model and its average.
void AuthorsTest::TakeWeights(const NamedTensors& golden) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, weight] : Weights()) {
    at::Tensor handle = weight;
    handle.copy_(golden.at("weight/" + name));
  }
  ModelAverage* const average = run_->model().average.get();
  if (average == nullptr) return;
  for (const auto& [name, tensor] : average->parameters()->all()) {
    const auto weight = golden.find("weight/" + name);
    if (weight != golden.end()) tensor.detach().copy_(weight->second);
  }
}

ForwardPass AuthorsTest::Pass(const NamedTensors& golden, int64_t step) const {
  ForwardPass pass;
  for (int v = 0; golden.count(absl::StrCat("view/", v)) > 0; ++v) {
    ViewInput view;
    view.images_BCHW = NormalizePixels(golden.at(absl::StrCat("view/", v))[step], StatisticsOf(spec_.data()));
    view.plan = {golden.at(absl::StrCat("visible/", v))[step], golden.at(absl::StrCat("hidden/", v))[step]};
    view.view = v;
    pass.views.push_back(view);
  }
  return pass;
}

TEST_P(AuthorsTest, TheFirstLossesAreTheAuthors) {
  if (const char* folder = std::getenv("MIMEO_WRITE_INPUTS")) return WriteInputs(folder);
  const std::string path = absl::StrCat("tests/authors/golden/", GetParam(), ".safetensors");
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(path));
  ASSERT_OK_AND_ASSIGN(const NamedTensors golden, ReadTensors(file->view()));
  TakeWeights(golden);
  ASSERT_OK(run_->MakeStep(gang_.get()));
  const at::Tensor losses = golden.at("losses");
  ASSERT_EQ(losses.size(0), kSteps);
  constexpr int64_t kNoEpochs = 1 << 20;  // images: the schedule is in steps
  for (int64_t step = 0; step < kSteps; ++step) {
    const std::vector<ForwardPass> micro_batches = {Pass(golden, step)};
    const double rate = LearningRate(spec_, step, kNoEpochs);
    const double progress = ProgressAt(spec_.schedule(), step, TotalSteps(spec_, kNoEpochs));
    ASSERT_OK_AND_ASSIGN(const StepResult result,
                         run_->step()->Run(micro_batches, {rate, progress, /*feature_stats=*/false, step + 1}));
    const double expected = losses[step].item<double>();
    EXPECT_NEAR(result.loss.item<double>(), expected, kTolerance * expected) << "step " << step + 1;
  }
  EXPECT_GT((losses[0] - losses[kSteps - 1]).abs().item<double>(), 0.01) << "too little happens in these steps";
}
INSTANTIATE_TEST_SUITE_P(Methods, AuthorsTest, ::testing::Values("mae", "dino", "moco_v3", "simmim"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mimeo
