#include "tests/recipes/recipe_run.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "teacher/teacher_request.h"
#include "tests/recipes/random_teacher.h"
#include "worker/training/batch_pipeline.h"
#include "worker/training/gang.h"
#include "worker/training/model_parts.h"
#include "worker/training/row_gatherer.h"
#include "worker/training/schedule.h"
#include "worker/training/side_stream.h"
#include "worker/training/step_parts.h"
#include "worker/training/train_state.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

// The parts, in the order in which they are made.
struct Parts {
  JobSpec spec;
  at::Device device = at::kCPU;
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Gang> gang;
  std::vector<std::unique_ptr<RandomTeacher>> teachers;
  ModelParts model;
  StepParts step;
  std::unique_ptr<ViewMaker> views;
  std::unique_ptr<Loader> loader;
  std::unique_ptr<BatchPipeline> pipeline;
};

absl::Status MakeModel(Parts* parts) {
  const JobSpec& spec = parts->spec;
  ObjectiveSum::Context context;
  for (const TeacherRequest& request : TeacherRequests(spec)) {
    parts->teachers.push_back(std::make_unique<RandomTeacher>(spec, request));
    for (const std::string& objective : request.objectives) context.teacher_widths[objective] = RandomTeacher::kWidth;
  }
  GangOptions gang;
  gang.device = parts->device;
  ASSIGN_OR_RETURN(parts->gang, Gang::Join(gang));
  context.rows = MakeRowGatherer(parts->gang.get());
  ASSIGN_OR_RETURN(parts->model, MakeModelParts(spec, context, parts->device));
  ASSIGN_OR_RETURN(parts->step, MakeStepParts(spec, parts->model, parts->gang.get(), parts->device));
  return absl::OkStatus();
}

absl::Status OpenData(int64_t steps, const LoaderPosition& start, Parts* parts) {
  const JobSpec& spec = parts->spec;
  parts->pipeline.reset(), parts->loader.reset();  // they use what comes next
  ASSIGN_OR_RETURN(parts->dataset, Dataset::Open(spec.data().path()));
  Loader::Options loading;
  loading.micro_batch = spec.resources().micro_batch();
  loading.last_step_batches = steps;
  loading.start = start;
  ASSIGN_OR_RETURN(parts->loader, Loader::Open(parts->dataset.get(), spec, loading));
  parts->views = std::make_unique<ViewMaker>(spec, parts->device);
  BatchPipeline::Options preparing;
  preparing.device = parts->device;
  preparing.views = parts->views.get();
  preparing.drop_path_rates = parts->model.encoder->drop_path_rates();
  preparing.micro_batches_per_step = AccumulationSteps(spec);
  std::vector<FeatureSource*> sources;
  for (const auto& teacher : parts->teachers) sources.push_back(teacher.get());
  parts->pipeline = std::make_unique<BatchPipeline>(parts->loader.get(), sources, preparing);
  return absl::OkStatus();
}

struct StepInput {
  std::vector<ForwardPass> micro_batches;
  LoaderPosition next;
};

absl::StatusOr<StepInput> NextStep(const Parts& parts) {
  StepInput input;
  for (int64_t i = 0; i < AccumulationSteps(parts.spec); ++i) {
    ASSIGN_OR_RETURN(PreparedBatch batch, parts.pipeline->Next());
    if (!batch.complete) return absl::DataLossError("some row of the batch has no sample that can be decoded");
    input.micro_batches.push_back(std::move(batch.pass));
    input.next = batch.next;
  }
  return input;
}

absl::StatusOr<std::unique_ptr<Parts>> MakeParts(const JobSpec& spec, const RecipeRunOptions& options) {
  auto parts = std::make_unique<Parts>();
  parts->spec = spec;
  parts->device = options.device;
  RETURN_IF_ERROR(MakeModel(parts.get()));
  return parts;
}

TrainState StateOf(const Parts& parts) {
  return {parts.model.parameters.get(), parts.model.optimizer.get(), parts.model.average.get()};
}

at::Tensor FlatGradient(const Parameters& parameters) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : parameters.trained()) {
    flat.push_back(tensor.grad().detach().cpu().to(at::kDouble).flatten());
  }
  return at::cat(flat);
}

// On the first batch of the data, which is trained on by no step. Where the next one is.
absl::StatusOr<LoaderPosition> Settle(Parts* parts) {
  RETURN_IF_ERROR(OpenData(1, LoaderPosition(), parts));
  ASSIGN_OR_RETURN(const StepInput first, NextStep(*parts));
  RETURN_IF_ERROR(parts->step.step->Settle(first.micro_batches.front()));
  return first.next;
}

// Steps [position->step, end).
absl::Status TrainUntil(int64_t end, Parts* parts, TrainPosition* position, RecipeRun* run) {
  ASSIGN_OR_RETURN(const LoaderPosition second, Settle(parts));
  if (position->step == 0) position->next = second;
  RETURN_IF_ERROR(OpenData(end + 1, position->next, parts));
  const int64_t total = TotalSteps(parts->spec, parts->dataset->size());
  for (; position->step < end; ++position->step) {
    ASSIGN_OR_RETURN(const StepInput input, NextStep(*parts));
    const double rate = LearningRate(parts->spec, position->step, parts->dataset->size());
    const double progress = static_cast<double>(position->step) / static_cast<double>(total);
    ASSIGN_OR_RETURN(const StepResult result,
                     parts->step.step->Run(input.micro_batches, {rate, progress, /*feature_stats=*/true}));
    position->next = input.next;
    if (position->step == 0) run->first_gradient = FlatGradient(*parts->model.parameters);
    run->losses.push_back(result.loss.item<double>());
    for (const auto& [name, term] : result.terms) run->terms[name].push_back(term.item<double>());
    for (const auto& [name, stat] : result.stats) run->stats[name].push_back(stat.item<double>());
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
  at::set_num_threads(1);
  const OwnStream own_stream(options.device);
  spec.mutable_data()->set_path(options.photos);
  spec.mutable_evaluation()->clear_path();
  spec.mutable_resources()->set_num_ranks(1);
  ASSIGN_OR_RETURN(spec, ResolveJobSpec(spec));
  RecipeRun run;
  TrainPosition position;
  ASSIGN_OR_RETURN(std::unique_ptr<Parts> parts, MakeParts(spec, options));
  if (options.save_after > 0) {
    RETURN_IF_ERROR(TrainUntil(options.save_after, parts.get(), &position, &run));
    const std::string stream = TrainSnapshot::Take(StateOf(*parts), spec, position)->Serialize();
    ASSIGN_OR_RETURN(parts, MakeParts(spec, options));
    ASSIGN_OR_RETURN(position, RestoreTrainState(stream, StateOf(*parts)));
  }
  RETURN_IF_ERROR(TrainUntil(options.steps, parts.get(), &position, &run));
  return run;
}

}  // namespace mimeo
