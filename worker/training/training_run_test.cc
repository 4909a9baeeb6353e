// Whole trainings of a small job on made-up photos: by the ports alone, in gangs of other sizes than the spec's.
#include "worker/training/training_run.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/decode.h"
#include "job/job_spec.h"
#include "worker/training/testing/local_gang.h"
#include "worker/training/testing/port_notes.h"
#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using testing::RunAsGang;

constexpr int64_t kSteps = 4, kBatch = 8;

// Knows nothing and says 1.
class EvenTeacher final : public FeatureSource {
 public:
  EvenTeacher(const JobSpec& spec, const TeacherRequest& request) : spec_(spec), request_(request) {}
  absl::Status Attach(const Batch&, absl::Time, std::vector<ViewInput>* views) override {
    for (ViewInput& view : *views) {
      const at::Tensor ones =
          at::full({view.images_BCHW.size(0), NumTokens(request_, spec_), width()}, 1.0, at::kFloat);
      for (const std::string& objective : request_.objectives) view.teacher_BNT[objective] = ones;
    }
    return absl::OkStatus();
  }
  const TeacherRequest& request() const override { return request_; }
  int width() const override { return 5; }

 private:
  const JobSpec spec_;
  const TeacherRequest request_;
};

// What a rank came to, and what it told on the way.
struct Trained {
  testing::StatusNotes status;
  testing::StepNotes steps;
  testing::CheckpointNotes checkpoints;
  absl::StatusOr<TrainEnd> end = absl::UnknownError("did not train");
  at::Tensor parameters;
};

class TrainingRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 20; ++i) {
      Pixels pixels{40, 40, {}};
      for (int j = 0; j < 40 * 40 * 3; ++j) pixels.rgb.push_back(static_cast<uint8_t>(i * 37 + j * (5 + i)));
      ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), absl::StrCat(100 + i, ".png")), EncodePng(pixels)));
    }
    ASSERT_OK_AND_ASSIGN(dataset_, Dataset::Open(dir_.path()));
    spec_ = Small(testing::TinySpec());
  }

  // `spec` on these photos: 4 steps of 8 images, with a checkpoint after 2.
  JobSpec Small(JobSpec spec) const {
    spec.mutable_data()->set_path(dir_.path());
    spec.mutable_data()->set_global_batch(kBatch);
    spec.mutable_resources()->clear_micro_batch();
    spec.mutable_schedule()->set_steps(kSteps);
    spec.mutable_checkpoint()->set_every_steps(2);
    const auto resolved = ResolveJobSpec(spec);
    EXPECT_OK(resolved.status());
    return *resolved;
  }

  // From `checkpoint`, where there is one, until all steps are done or `stop_wanted`.
  void Train(const JobSpec& spec, Gang* gang, const StopWanted& stop_wanted, const std::string& checkpoint,
             Trained* trained) const {
    Progress progress;
    TrainingRun run({spec, at::kCPU, gang->rank(), gang->size(), stop_wanted, &progress});
    ASSERT_OK(run.MakeModel({}));
    Training training;
    training.dataset = dataset_.get();
    if (!checkpoint.empty()) {
      ASSERT_OK_AND_ASSIGN(training.position, RestoreTrainState(checkpoint, run.state()));
    }
    ASSERT_OK(run.MakeStep(gang));
    ASSERT_OK(run.OpenBatches(dataset_.get(), kSteps, training.position.next));
    training.ports.status = &trained->status;
    if (gang->rank() == 0) training.ports.steps = &trained->steps, training.ports.checkpoints = &trained->checkpoints;
    training.ports.stop_wanted = stop_wanted;
    training.ports.progress = &progress;
    trained->end = run.Train(training);
    trained->parameters = testing::FlatParameters(*run.model().parameters);
  }
  // As rank 0 of a gang of `size` saw it.
  std::unique_ptr<Trained> TrainAsGang(
      const JobSpec& spec, int size, const std::string& checkpoint = "",
      const StopWanted& stop_wanted = [] { return false; }) const {
    std::vector<std::unique_ptr<Trained>> ranks;
    for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<Trained>());
    RunAsGang(size, [&](Gang* gang) { Train(spec, gang, stop_wanted, checkpoint, ranks[gang->rank()].get()); });
    for (const auto& rank : ranks) EXPECT_TRUE(rank->end.ok()) << rank->end.status();
    return std::move(ranks[0]);
  }

  TempDir dir_;
  std::unique_ptr<Dataset> dataset_;
  JobSpec spec_;
};

TEST_F(TrainingRunTest, TrainsByItsPortsAloneAndResumesToTheBit) {
  const auto whole = TrainAsGang(spec_, 1);
  EXPECT_EQ(*whole->end, TrainEnd::kCompleted);
  ASSERT_EQ(whole->steps.steps.size(), static_cast<size_t>(kSteps));
  EXPECT_EQ(whole->status.newest.step, kSteps);
  EXPECT_THAT(whole->status.waits, ElementsAre(Pair("coordinator", true), Pair("coordinator", false)));
  ASSERT_THAT(whole->checkpoints.streams, ElementsAre(Pair(2, ::testing::_), Pair(kSteps, ::testing::_)));
  ASSERT_OK(whole->checkpoints.streams.at(2).status());
  const auto resumed = TrainAsGang(spec_, 1, *whole->checkpoints.streams.at(2));
  const std::vector<double> losses = whole->steps.Losses();
  EXPECT_THAT(resumed->steps.Losses(), ElementsAre(losses[2], losses[3]));
  EXPECT_TRUE(at::equal(resumed->parameters, whole->parameters));
}

TEST_F(TrainingRunTest, ImagesThatCannotBeDecodedAreSaidWithTheirReasonAlsoAfterAResume) {
  ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), "103.png"), "text"));
  ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), "117.png"), "text"));
  ASSERT_OK_AND_ASSIGN(dataset_, Dataset::Open(dir_.path()));
  const auto whole = TrainAsGang(spec_, 2);
  const auto resumed = TrainAsGang(spec_, 1, *whole->checkpoints.streams.at(kSteps));
  for (const Trained* trained : {whole.get(), resumed.get()}) {
    ASSERT_EQ(trained->status.undecodable.count("data.path"), 1u);
    const PassedOver& row = trained->status.undecodable.at("data.path");
    EXPECT_EQ(row.count(), 2);
    EXPECT_THAT(row.names(), ElementsAre(::testing::HasSubstr("103.png: not a JPEG, PNG or WebP"),
                                         ::testing::HasSubstr("117.png: not a JPEG, PNG or WebP")));
  }
}

TEST_F(TrainingRunTest, AFailureWaitsForTheCheckpointBefore) {
  for (const char* photo : {"103.png", "117.png"}) {
    ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), photo), "text"));
  }
  ASSERT_OK_AND_ASSIGN(dataset_, Dataset::Open(dir_.path()));
  spec_.mutable_checkpoint()->set_every_steps(1);
  spec_.mutable_data()->set_max_bad_samples(1);
  Trained trained;
  trained.checkpoints.late = true;
  RunAsGang(1, [&](Gang* gang) {
    Train(
        spec_, gang, [] { return false; }, "", &trained);
  });
  EXPECT_THAT(trained.end.status(), testing::StatusIs(absl::StatusCode::kInvalidArgument, "max_bad_samples"));
  EXPECT_GT(trained.checkpoints.submitted, 0) << "it failed before the first checkpoint";
  EXPECT_EQ(trained.checkpoints.committed, trained.checkpoints.submitted);
}

TEST_F(TrainingRunTest, AStopTakesACheckpointFirst) {
  int asked = 0;
  const auto stopped = TrainAsGang(spec_, 1, "", [&asked] { return ++asked > 3; });
  EXPECT_EQ(*stopped->end, TrainEnd::kStopped);
  EXPECT_EQ(stopped->steps.steps.size(), 3u);
  EXPECT_EQ(stopped->checkpoints.committed, 3);
}

// The spec asks for one rank; how many there are is the gang's to say.
TEST_F(TrainingRunTest, AGangOfAnotherSizeThanTheSpecsTakesTheSameSteps) {
  const auto one = TrainAsGang(spec_, 1);
  for (const int size : {2, 4}) {
    const auto many = TrainAsGang(spec_, size);
    ASSERT_EQ(many->steps.steps.size(), one->steps.steps.size());
    for (size_t i = 0; i < one->steps.steps.size(); ++i) {
      // Sums of another order, whose rounding AdamW makes larger from step to step.
      const double tolerance = i == 0 ? 1e-5 : 1e-3;
      EXPECT_NEAR(many->steps.steps[i].loss(), one->steps.steps[i].loss(), tolerance) << size << " ranks, step " << i;
    }
  }
}

TEST_F(TrainingRunTest, AGangOfSeveralRanksRecordsNoSteps) {
  JobSpec spec = spec_;
  spec.mutable_resources()->set_cuda_graph(true);
  RunAsGang(2, [&](Gang* gang) {
    TrainingRun run({spec, at::kCPU, gang->rank(), gang->size()});
    ASSERT_OK(run.MakeModel({}));
    EXPECT_THAT(run.MakeStep(gang), testing::StatusIs(absl::StatusCode::kFailedPrecondition, "2 ranks"));
  });
}

// The blank pass stands in for a micro-batch, wherever something has to be run before the first one comes.
TEST_F(TrainingRunTest, ABlankPassHasTheShapeOfAMicroBatch) {
  JobSpec mimic = spec_;
  ObjectiveSpec* objective = mimic.add_objective();
  objective->set_name("mimic");
  objective->mutable_mimic()->set_teacher("even");
  for (const JobSpec& spec : {spec_, Small(mimic), Small(testing::TinyDinoSpec())}) {
    std::vector<std::unique_ptr<EvenTeacher>> owned;
    std::vector<FeatureSource*> teachers;
    for (const TeacherRequest& request : TeacherRequests(spec)) {
      owned.push_back(std::make_unique<EvenTeacher>(spec, request));
      teachers.push_back(owned.back().get());
    }
    RunSetting setting;
    setting.spec = spec;
    TrainingRun run(setting);
    ASSERT_OK(run.MakeModel(teachers));
    ASSERT_OK(run.OpenBatches(dataset_.get(), kSteps, LoaderPosition()));
    ASSERT_OK_AND_ASSIGN(StepBatch step, run.batches()->NextStep());
    ForwardPass blank = run.BlankPass(kBatch);
    const std::vector<at::Tensor*> expected = InputTensors(&step.micro_batches[0]), found = InputTensors(&blank);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i]->defined(), expected[i]->defined()) << i;
      if (!found[i]->defined()) continue;
      EXPECT_EQ(found[i]->sizes(), expected[i]->sizes()) << i;
      EXPECT_EQ(found[i]->scalar_type(), expected[i]->scalar_type()) << i;
    }
  }
}

}  // namespace
}  // namespace mimeo
