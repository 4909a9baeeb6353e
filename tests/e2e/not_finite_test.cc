// Weights that training carries beyond the largest number are never kept over good ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The exported encoder in `dir`, with nothing in its blocks: then no growth of theirs makes a gradient that is not
// finite.
void EmptyTheBlocks(const std::string& dir) {
  const std::string path = JoinPath(dir, "model.safetensors");
  const std::string file = ReadFile(path).value();
  const SafetensorsView view = SafetensorsView::Parse(file).value();
  std::map<std::string, TensorBytes> tensors(view.tensors().begin(), view.tensors().end());
  const std::string zeros(file.size(), '\0');
  for (auto& [name, tensor] : tensors) {
    if (absl::StrContains(name, ".layer.") && tensor.shape.size() > 1) {
      tensor.bytes = absl::string_view(zeros).substr(0, tensor.bytes.size());
    }
  }
  ASSERT_TRUE(WriteFileAtomic(path, SerializeSafetensors(tensors, view.metadata())).ok());
}

// Absurd, and within the bounds of a recipe: rate times decay multiplies the head by 210,000 in each step. A loss that
// looks only at directions stays finite with it, until the eighth step makes the head infinite.
JobSpec AbsurdJob(const std::string& weights) {
  JobSpec spec = TinyJob(1, 100);
  spec.clear_objective();
  AddMimic("frozen", &spec);
  spec.mutable_objective(0)->set_weight(1e-37);
  spec.mutable_objective(0)->mutable_mimic()->set_distance(MIMIC_DISTANCE_COSINE);
  spec.set_init_weights(weights);
  spec.mutable_optimizer()->mutable_adamw()->set_base_rate(560);
  spec.mutable_optimizer()->mutable_adamw()->set_weight_decay(1000);
  spec.mutable_optimizer()->mutable_adamw()->set_layer_decay(0.01);  // the encoder stays as it is
  spec.mutable_schedule()->set_warmup_steps(0);
  spec.mutable_checkpoint()->set_every_steps(1);
  return spec;
}

TEST(NotFiniteTest, AStateThatIsNotFiniteIsNeverACheckpointAndTheOneBeforeStays) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  const std::string first = cluster.Submit(TinyJob(1, 1));
  cluster.AwaitSuccess(first);
  const std::string teacher = cluster.dir() + "/teacher", weights = cluster.dir() + "/weights";
  for (const std::string& out : {teacher, weights}) cluster.Mimeo({"export", first, "--to", "hf", "--out", out});
  EmptyTheBlocks(weights);
  cluster.StartTeacher("frozen", teacher);

  const std::string id = cluster.Submit(AbsurdJob(weights));
  const auto has_ended = [](const Job& job) {
    return job.state() == JOB_STATE_PAUSED || job.state() == JOB_STATE_FAILED;
  };
  const Job ended = cluster.Await(id, "the end of what cannot get well", has_ended);
  EXPECT_EQ(ended.state(), JOB_STATE_PAUSED);
  EXPECT_EQ(ended.checkpoint_step(), 7);
  EXPECT_THAT(ended.reason(),
              AllOf(HasSubstr("step 8: no checkpoint is taken, because objective.mimic.head.weight holds "),
                    HasSubstr("values that are not finite"), HasSubstr("goes on from step 7")));
  cluster.Mimeo({"resume", id});
  const Job again = cluster.Await(
      id, "the same end", [&](const Job& job) { return has_ended(job) && job.generation() > ended.generation(); });
  EXPECT_EQ(again.checkpoint_step(), 7);
  cluster.Mimeo({"export", id, "--to", "safetensors", "--out", cluster.dir() + "/last.safetensors"});
}

}  // namespace
}  // namespace mimeo
