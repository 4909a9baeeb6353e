#include "tests/recipes/recipe_run.h"

#include <ATen/ops/cat.h>

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "data/dataset.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "model/compute_settings.h"
#include "teacher/teacher_request.h"
#include "tests/recipes/random_teacher.h"
#include "worker/training/gang.h"
#include "worker/training/schedule.h"
#include "worker/training/side_stream.h"
#include "worker/training/train_state.h"
#include "worker/training/training_run.h"

namespace mimeo {
namespace {

// A training and what it is given.
struct Rank {
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Gang> gang;
  std::vector<std::unique_ptr<RandomTeacher>> teachers;
  std::unique_ptr<TrainingRun> run;
};

absl::StatusOr<std::unique_ptr<Rank>> MakeRank(const JobSpec& spec, at::Device device) {
  auto rank = std::make_unique<Rank>();
  ASSIGN_OR_RETURN(rank->dataset, Dataset::Open(spec.data().path()));
  GangOptions gang;
  gang.device = device;
  ASSIGN_OR_RETURN(rank->gang, Gang::Join(gang));
  std::vector<FeatureSource*> teachers;
  for (const TeacherRequest& request : TeacherRequests(spec)) {
    rank->teachers.push_back(std::make_unique<RandomTeacher>(spec, request));
    teachers.push_back(rank->teachers.back().get());
  }
  RunSetting setting;
  setting.spec = spec;
  setting.device = device;
  rank->run = std::make_unique<TrainingRun>(setting);
  RETURN_IF_ERROR(rank->run->MakeModel(teachers));
  return rank;
}

absl::StatusOr<StepBatch> NextStep(const TrainingRun& run) {
  ASSIGN_OR_RETURN(StepBatch batch, run.batches()->NextStep());
  if (!batch.complete) return absl::DataLossError("some row of the batch has no sample that can be decoded");
  return batch;
}

at::Tensor FlatGradient(const Parameters& parameters) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : parameters.trained()) {
    flat.push_back(tensor.grad().detach().cpu().to(at::kDouble).flatten());
  }
  return at::cat(flat);
}

// Steps [position->step, end).
absl::Status TrainUntil(int64_t end, const Rank& rank, TrainPosition* position, RecipeRun* done) {
  TrainingRun* const run = rank.run.get();
  RETURN_IF_ERROR(run->MakeStep(rank.gang.get()));
  RETURN_IF_ERROR(run->OpenBatches(rank.dataset.get(), end + 1, position->next));
  if (position->step == 0) {
    // The golden losses are of steps that begin with the second batch of the data.
    ASSIGN_OR_RETURN(const StepBatch first, NextStep(*run));
    position->next = first.next;
  }
  const int64_t total = TotalSteps(run->spec(), rank.dataset->size());
  for (; position->step < end; ++position->step) {
    ASSIGN_OR_RETURN(const StepBatch batch, NextStep(*run));
    const double rate = LearningRate(run->spec(), position->step, rank.dataset->size());
    const double progress = static_cast<double>(position->step) / static_cast<double>(total);
    ASSIGN_OR_RETURN(const StepResult result,
                     run->step()->Run(batch.micro_batches, {rate, progress, /*feature_stats=*/true}));
    position->next = batch.next;
    if (position->step == 0) done->first_gradient = FlatGradient(*run->model().parameters);
    done->losses.push_back(result.loss.item<double>());
    for (const auto& [name, term] : result.terms) done->terms[name].push_back(term.item<double>());
    for (const auto& [name, stat] : result.stats) done->stats[name].push_back(stat.item<double>());
  }
  return absl::OkStatus();
}

}  // namespace

JobSpec WithGoldenSchedule(JobSpec recipe, int64_t steps) {
  recipe.mutable_schedule()->Clear();
  recipe.mutable_schedule()->set_steps(steps);
  recipe.mutable_schedule()->set_warmup_steps(5);
  return recipe;
}

absl::StatusOr<RecipeRun> RunRecipe(JobSpec spec, const RecipeRunOptions& options) {
  SetUpCompute(/*threads=*/1);
  const OwnStream own_stream(options.device);
  spec.mutable_data()->set_path(options.photos);
  spec.mutable_evaluation()->clear_path();
  spec.mutable_resources()->set_num_ranks(1);
  ASSIGN_OR_RETURN(spec, ResolveJobSpec(spec));
  RecipeRun done;
  TrainPosition position;
  ASSIGN_OR_RETURN(std::unique_ptr<Rank> rank, MakeRank(spec, options.device));
  if (options.save_after > 0) {
    RETURN_IF_ERROR(TrainUntil(options.save_after, *rank, &position, &done));
    ASSIGN_OR_RETURN(const auto snapshot, TrainSnapshot::Take(rank->run->state(), spec, position));
    const std::string stream = snapshot->Serialize();
    ASSIGN_OR_RETURN(rank, MakeRank(spec, options.device));
    ASSIGN_OR_RETURN(position, RestoreTrainState(stream, rank->run->state()));
  }
  RETURN_IF_ERROR(TrainUntil(options.steps, *rank, &position, &done));
  return done;
}

}  // namespace mimeo
