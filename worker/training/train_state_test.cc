#include "worker/training/train_state.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/safetensors.h"
#include "base/testing/status_matchers.h"
#include "job/job_spec.h"
#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::FlatParameters;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TinyModel;
using testing::TinySpec;
using testing::TinyViews;

// A model that has made two updates, and where it stands.
class TrainStateTest : public ::testing::Test {
 protected:
  TrainStateTest() {
    for (int step = 0; step < 2; ++step) {
      for (const auto& [name, tensor] : model_.parameters.all()) {
        tensor.mutable_grad() = (tensor.detach() + 0.1 * step).clone();
      }
      model_.optimizer->SetSchedule(1e-2, 0);
      model_.optimizer->Step(at::zeros({}, at::kFloat));
    }
    position_.step = 2;
    position_.next.set_epoch(1);
    position_.next.set_batch(5);
    stream_ = TrainSnapshot::Take({&model_.parameters, model_.optimizer.get()}, spec_, position_).value()->Serialize();
  }

  const JobSpec spec_ = TinySpec();
  TinyModel model_{spec_};
  TrainPosition position_;
  std::string stream_;
};

TEST_F(TrainStateTest, ComesBackToTheLastBit) {
  JobSpec other = spec_;
  other.set_seed(77);
  const TinyModel restored(other);
  ASSERT_FALSE(at::equal(FlatParameters(restored.parameters), FlatParameters(model_.parameters)));
  ASSERT_OK_AND_ASSIGN(const TrainPosition position,
                       RestoreTrainState(stream_, {&restored.parameters, restored.optimizer.get()}));
  EXPECT_EQ(position.step, 2);
  EXPECT_EQ(position.next.epoch(), 1);
  EXPECT_EQ(position.next.batch(), 5);
  EXPECT_TRUE(at::equal(FlatParameters(restored.parameters), FlatParameters(model_.parameters)));
  const auto state = restored.optimizer->State(), expected = model_.optimizer->State();
  ASSERT_EQ(state.size(), expected.size());
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_TRUE(at::equal(state[i].second, expected[i].second)) << state[i].first;
  }
  EXPECT_EQ(TrainSnapshot::Take({&restored.parameters, restored.optimizer.get()}, spec_, position).value()->Serialize(),
            stream_);
}

TEST_F(TrainStateTest, BadSamplesComeBackAndAnOlderCheckpointSaysOfNone) {
  const TrainState state = {&model_.parameters, model_.optimizer.get()};
  TrainPosition position = position_;
  position.bad_samples = {17, 3, 1200000};
  const std::string stream = TrainSnapshot::Take(state, spec_, position).value()->Serialize();
  EXPECT_EQ(RestoreTrainState(stream, state)->bad_samples, position.bad_samples);
  // Without bad samples a checkpoint is to the byte what it was before they were kept.
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream_));
  EXPECT_EQ(view.metadata().count("bad_samples"), 0u);
  ASSERT_OK_AND_ASSIGN(const TrainPosition old, RestoreTrainState(stream_, state));
  EXPECT_TRUE(old.bad_samples.empty());
  std::map<std::string, std::string> metadata = view.metadata();
  for (const char* wrong : {"x", "3,", "-1", "3 4"}) {
    metadata["bad_samples"] = wrong;
    EXPECT_THAT(RestoreTrainState(SerializeSafetensors(view.tensors(), metadata), state),
                StatusIs(absl::StatusCode::kDataLoss, "bad_samples"));
  }
}

TEST_F(TrainStateTest, ASnapshotIsOfItsMomentHoweverLateItIsWritten) {
  const auto snapshot = TrainSnapshot::Take({&model_.parameters, model_.optimizer.get()}, spec_, position_).value();
  for (const auto& [name, tensor] : model_.parameters.all()) tensor.mutable_grad() = tensor.detach().clone();
  model_.optimizer->Step(at::zeros({}, at::kFloat));
  EXPECT_EQ(snapshot->Serialize(), stream_);
  EXPECT_GT(snapshot->bytes(), 3 * FlatParameters(model_.parameters).numel() * 4 - 1);
}

// What no step mends is not kept over a good checkpoint: parameters, both moments and the average alike.
TEST_F(TrainStateTest, ThereIsNoSnapshotOfAStateThatIsNotFinite) {
  JobSpec spec = spec_;
  spec.mutable_ema()->set_decay(0.5), spec.mutable_ema()->set_final_decay(0.5);
  ModelAverage average(spec, Products::kAsStored);
  average.Start(model_.parameters);
  const TrainState state = {&model_.parameters, model_.optimizer.get(), &average};
  std::map<std::string, at::Tensor> named(model_.parameters.all().begin(), model_.parameters.all().end());
  for (const auto& [name, tensor] : model_.optimizer->State()) named["optimizer." + name] = tensor;
  for (const auto& [name, tensor] : average.State()) named[name] = tensor;
  const at::NoGradGuard no_grad;
  int tried = 0;
  for (const std::string name : {"encoder.norm.weight", "optimizer.exp_avg.encoder.norm.bias",
                                 "optimizer.exp_avg_sq.encoder.norm.weight", "ema.encoder.norm.bias"}) {
    ASSERT_EQ(named.count(name), 1u) << name;
    for (const double value : {std::numeric_limits<double>::infinity(), std::nan("")}) {
      at::Tensor place = named.at(name)[1];
      const double before = place.item<double>();
      place.fill_(value);
      EXPECT_THAT(TrainSnapshot::Take(state, spec, position_),
                  StatusIs(absl::StatusCode::kFailedPrecondition,
                           absl::StrCat("step 2: no checkpoint is taken, because ", name, " holds 1 of ")));
      place.fill_(before);
      EXPECT_OK(TrainSnapshot::Take(state, spec, position_).status());
      ++tried;
    }
  }
  EXPECT_EQ(tried, 8);
}

TEST_F(TrainStateTest, AveragedHeadsAndRunningMeansComeBackToo) {
  const JobSpec spec = testing::TinyDinoSpec();
  testing::TinyModel model(spec), fresh(spec);
  BatchMean mean;
  mean.value = at::zeros({40}) + 3;
  model.average->SetSchedule(0);
  model.average->Update(at::zeros({}), {{"objective.dino.center", mean}});
  const std::string stream =
      TrainSnapshot::Take({&model.parameters, model.optimizer.get(), model.average.get()}, spec, TrainPosition())
          .value()
          ->Serialize();
  ASSERT_OK(RestoreTrainState(stream, {&fresh.parameters, fresh.optimizer.get(), fresh.average.get()}).status());
  EXPECT_TRUE(at::equal(testing::FlatAverage(*fresh.average), testing::FlatAverage(*model.average)));
  EXPECT_EQ(testing::FlatAverage(*fresh.average).max().item<double>(), 3);
}

TEST_F(TrainStateTest, TheEncodersAverageComesBackToo) {
  JobSpec spec = spec_;
  spec.mutable_ema()->set_decay(0.5), spec.mutable_ema()->set_final_decay(0.5);
  ModelAverage average(spec, Products::kAsStored);
  average.Start(model_.parameters);
  {
    const at::NoGradGuard no_grad;
    model_.parameters.Find("encoder.norm.weight").add_(1);
  }
  average.SetSchedule(0);
  average.Update(at::zeros({}), {});
  const TrainState state = {&model_.parameters, model_.optimizer.get(), &average};
  const std::string stream = TrainSnapshot::Take(state, spec, position_).value()->Serialize();
  const TinyModel fresh(spec);
  ModelAverage restored(spec, Products::kAsStored);
  restored.Start(fresh.parameters);
  ASSERT_OK(RestoreTrainState(stream, {&fresh.parameters, fresh.optimizer.get(), &restored}).status());
  const auto expected = average.State(), found = restored.State();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(at::equal(found[i].second, expected[i].second)) << found[i].first;
  }
  EXPECT_THAT(RestoreTrainState(stream, {&fresh.parameters, fresh.optimizer.get()}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "ema.encoder.blocks.0.attn.proj.bias is unknown"));
}

// TinyDinoSpec, its prototypes frozen for the first half.
JobSpec ThawingSpec() {
  JobSpec spec = testing::TinyDinoSpec();
  for (ObjectiveSpec& objective : *spec.mutable_objective()) {
    if (objective.has_self_distillation()) objective.mutable_self_distillation()->set_frozen_prototypes(0.5);
  }
  return spec;
}

// Two steps before the thaw, and `live` ones after it; written as earlier versions did, with one count of all steps.
std::string StreamWithOneCount(const JobSpec& spec, int live, bool with_own_counts) {
  testing::TinyModel model(spec);
  for (int step = 0; step < 2 + live; ++step) {
    for (const auto& [name, tensor] : model.parameters.all()) tensor.mutable_grad() = (tensor.detach() + 0.1).clone();
    if (step < 2) model.parameters.Find("objective.dino.prototypes").mutable_grad().zero_();
    model.optimizer->SetSchedule(1e-2, step < 2 ? 0 : 0.5);
    model.optimizer->Step(at::zeros({}, at::kFloat));
  }
  const std::string stream =
      TrainSnapshot::Take({&model.parameters, model.optimizer.get(), model.average.get()}, spec, TrainPosition())
          .value()
          ->Serialize();
  if (with_own_counts) return stream;
  const SafetensorsView view = SafetensorsView::Parse(stream).value();
  std::map<std::string, TensorBytes> tensors(view.tensors().begin(), view.tensors().end());
  EXPECT_EQ(tensors.erase("optimizer.steps.objective.dino.prototypes"), 1u);
  return SerializeSafetensors(tensors, view.metadata());
}

std::map<std::string, float> CountsOf(const std::string& stream, const JobSpec& spec) {
  testing::TinyModel model(spec);
  EXPECT_OK(RestoreTrainState(stream, {&model.parameters, model.optimizer.get(), model.average.get()}).status());
  std::map<std::string, float> counts;
  for (const auto& [name, tensor] : model.optimizer->State()) {
    if (name.substr(0, 5) == "steps") counts[name] = tensor.item<float>();
  }
  return counts;
}

TEST_F(TrainStateTest, CountsOfWhatThawsComeBackToo) {
  const std::map<std::string, float> expected = {{"steps", 5}, {"steps.objective.dino.prototypes", 3}};
  EXPECT_EQ(CountsOf(StreamWithOneCount(ThawingSpec(), 3, /*with_own_counts=*/true), ThawingSpec()), expected);
}

TEST_F(TrainStateTest, AnEarlierVersionsOneCountIsOfAllThatWereLive) {
  const std::map<std::string, float> frozen = {{"steps", 2}, {"steps.objective.dino.prototypes", 0}};
  EXPECT_EQ(CountsOf(StreamWithOneCount(ThawingSpec(), 0, /*with_own_counts=*/false), ThawingSpec()), frozen);
  const std::map<std::string, float> thawed = {{"steps", 5}, {"steps.objective.dino.prototypes", 5}};
  EXPECT_EQ(CountsOf(StreamWithOneCount(ThawingSpec(), 3, /*with_own_counts=*/false), ThawingSpec()), thawed);
}

TEST_F(TrainStateTest, IsAFileThatAPersonCanOpen) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream_));
  EXPECT_EQ(view.metadata().at("step"), "2");
  EXPECT_EQ(view.metadata().at("job"), JobSpecText(spec_));
  EXPECT_EQ(view.tensors().count("encoder.cls_token"), 1u);
  EXPECT_EQ(view.tensors().count("optimizer.exp_avg.encoder.cls_token"), 1u);
  EXPECT_EQ(view.tensors().count("optimizer.exp_avg_sq.encoder.cls_token"), 1u);
  EXPECT_EQ(view.tensors().size(), 3 * model_.parameters.all().size() + 1);
}

TEST_F(TrainStateTest, ATruncatedStreamIsRefusedAndNothingChanges) {
  const TinyModel fresh(spec_);
  const at::Tensor before = FlatParameters(fresh.parameters);
  for (const size_t bytes : {size_t{0}, size_t{7}, size_t{100}, stream_.size() / 2, stream_.size() - 1}) {
    const auto restored =
        RestoreTrainState(absl::string_view(stream_).substr(0, bytes), {&fresh.parameters, fresh.optimizer.get()});
    EXPECT_THAT(restored, StatusIs(absl::StatusCode::kDataLoss)) << bytes;
  }
  EXPECT_TRUE(at::equal(FlatParameters(fresh.parameters), before));
}

TEST_F(TrainStateTest, ValuesThatAreNotFiniteAreRefusedByName) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream_));
  for (const char* name : {"encoder.norm.weight", "optimizer.exp_avg.encoder.cls_token"}) {
    auto tensors = view.tensors();
    std::string bytes(tensors.at(name).bytes);
    const float infinity = std::numeric_limits<float>::infinity();
    std::memcpy(bytes.data() + 4 * sizeof(float), &infinity, sizeof(infinity));
    tensors.at(name).bytes = bytes;
    const TinyModel fresh(spec_);
    const at::Tensor before = FlatParameters(fresh.parameters);
    EXPECT_THAT(
        RestoreTrainState(SerializeSafetensors(tensors, view.metadata()), {&fresh.parameters, fresh.optimizer.get()}),
        StatusIs(absl::StatusCode::kDataLoss,
                 absl::StrCat(name, " holds 1 of 32 values that are not finite, the first of them inf at 4")));
    EXPECT_TRUE(at::equal(FlatParameters(fresh.parameters), before));
  }
}

TEST_F(TrainStateTest, AnotherModelsStreamIsRefusedByName) {
  const TinyModel wider(TinySpec(64));
  const at::Tensor before = FlatParameters(wider.parameters);
  EXPECT_THAT(
      RestoreTrainState(stream_, {&wider.parameters, wider.optimizer.get()}),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("encoder."), HasSubstr("32"), HasSubstr("64"))));
  EXPECT_TRUE(at::equal(FlatParameters(wider.parameters), before));
}

TEST_F(TrainStateTest, MissingAndUnknownTensorsAreNamed) {
  Parameters others(1);
  others.Add("head.weight", {2, 2}, Init::kZeros);
  AdamW optimizer(&others, spec_);
  EXPECT_THAT(RestoreTrainState(stream_, {&others, &optimizer}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("head.weight is missing"), HasSubstr("is unknown"))));
}

TEST_F(TrainStateTest, AStreamWithoutPositionIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream_));
  const std::string weights_only = SerializeSafetensors(view.tensors(), {{"job", "x"}});
  EXPECT_THAT(RestoreTrainState(weights_only, {&model_.parameters, model_.optimizer.get()}),
              StatusIs(absl::StatusCode::kDataLoss, "step"));
}

}  // namespace
}  // namespace mimeo
