// job/model_tensors.h against the model itself: names, shapes and what is trained, and the bytes of a checkpoint, of
// every recipe.
#include "job/model_tensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "job/cost.h"
#include "job/job_spec.h"
#include "worker/training/model_parts.h"
#include "worker/training/train_state.h"

namespace mimeo {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

constexpr int kTeacherWidth = 24;

std::vector<std::string> Recipes() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("recipes")) {
    if (entry.path().extension() == ".textproto") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// As it stands, but for the depth of the largest: each block is like the others, and ViT-L and H take gigabytes.
JobSpec Read(const std::string& recipe) {
  const std::string path = absl::StrCat("recipes/", recipe, ".textproto");
  JobSpec spec = ParseRecipe(ReadFile(path).value(), path).value();
  spec.mutable_data()->set_path("photos");
  if (spec.encoder().vit().depth() > 12) spec.mutable_encoder()->mutable_vit()->set_depth(2);
  return ResolveJobSpec(spec).value();
}

Shapes ShapesOf(const std::vector<ModelTensor>& tensors) {
  Shapes shapes;
  for (const ModelTensor& tensor : tensors) shapes[tensor.name] = tensor.shape;
  return shapes;
}

class ModelTensorsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ModelTensorsTest, AreTheModelsOwnAndSoIsTheCheckpoint) {
  const JobSpec spec = Read(GetParam());
  ObjectiveSum::Context context;
  TeacherWidths teachers;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_mimic()) context.teacher_widths[objective.name()] = kTeacherWidth;
  }
  teachers = context.teacher_widths;
  ASSERT_OK_AND_ASSIGN(const ModelParts parts, MakeModelParts(spec, context, at::kCPU));

  Shapes made, trained, averaged;
  for (const auto& [name, tensor] : parts.parameters->all()) made[name] = tensor.sizes().vec();
  for (const auto& [name, tensor] : parts.parameters->trained()) trained[name] = tensor.sizes().vec();
  std::vector<ModelTensor> counted = ModelTensors(spec, teachers);
  EXPECT_EQ(ShapesOf(counted), made);
  counted.erase(std::remove_if(counted.begin(), counted.end(), [](const ModelTensor& t) { return !t.trained; }),
                counted.end());
  EXPECT_EQ(ShapesOf(counted), trained);
  if (parts.average != nullptr) {
    for (const auto& [name, tensor] : parts.average->State()) averaged[name.substr(4)] = tensor.sizes().vec();
  }
  EXPECT_EQ(ShapesOf(AverageTensors(spec)), averaged);

  TrainPosition position;
  position.step = 25;
  position.next.set_epoch(3), position.next.set_batch(4);
  ASSERT_OK_AND_ASSIGN(
      const auto snapshot,
      TrainSnapshot::Take({parts.parameters.get(), parts.optimizer.get(), parts.average.get()}, spec, position));
  EXPECT_EQ(CheckpointBytes(spec, teachers, /*steps_per_epoch=*/7, /*step=*/25),
            static_cast<int64_t>(snapshot->Serialize().size()));
}
INSTANTIATE_TEST_SUITE_P(Recipes, ModelTensorsTest, ::testing::ValuesIn(Recipes()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mimeo
