#include "tests/recipes/recipe_run.h"

#include <ATen/Parallel.h>

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "tests/recipes/random_teacher.h"
#include "worker/training/batch_pipeline.h"
#include "worker/training/gang.h"
#include "worker/training/model_parts.h"
#include "worker/training/row_gatherer.h"
#include "worker/training/schedule.h"
#include "worker/training/train_step.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr char kPhotos[] = "examples/clothing/train";

// The parts, in the order in which they are made.
struct Parts {
  JobSpec spec;
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Gang> gang;
  std::vector<std::unique_ptr<RandomTeacher>> teachers;
  ModelParts model;
  std::unique_ptr<GradientReducer> reducer;
  std::unique_ptr<TrainStep> step;
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
  ASSIGN_OR_RETURN(parts->gang, Gang::Join(GangOptions()));
  context.rows = MakeRowGatherer(parts->gang.get());
  ASSIGN_OR_RETURN(parts->model, MakeModelParts(spec, context, at::kCPU));
  parts->reducer = std::make_unique<GradientReducer>(parts->gang.get(), *parts->model.parameters);
  parts->step = std::make_unique<TrainStep>(parts->model.parameters.get(), parts->model.encoder.get(), parts->model.objectives.get(), parts->reducer.get(),
                                            parts->model.optimizer.get(),
                                            TrainStep::Options{spec.optimizer().max_grad_norm(), parts->model.average.get()});
  return absl::OkStatus();
}

absl::Status OpenData(int64_t steps, Parts* parts) {
  const JobSpec& spec = parts->spec;
  ASSIGN_OR_RETURN(parts->dataset, Dataset::Open(spec.data().path()));
  Loader::Options loading;
  loading.micro_batch = spec.resources().micro_batch();
  loading.last_step_batches = steps + 1;  // one to settle on
  ASSIGN_OR_RETURN(parts->loader, Loader::Open(parts->dataset.get(), spec, loading));
  parts->views = std::make_unique<ViewMaker>(spec, at::kCPU);
  BatchPipeline::Options preparing;
  preparing.views = parts->views.get();
  preparing.drop_path_rates = parts->model.encoder->drop_path_rates();
  preparing.micro_batches_per_step = AccumulationSteps(spec);
  std::vector<FeatureSource*> sources;
  for (const auto& teacher : parts->teachers) sources.push_back(teacher.get());
  parts->pipeline = std::make_unique<BatchPipeline>(parts->loader.get(), sources, preparing);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ForwardPass>> NextStep(const Parts& parts) {
  std::vector<ForwardPass> micro_batches;
  for (int64_t i = 0; i < AccumulationSteps(parts.spec); ++i) {
    ASSIGN_OR_RETURN(PreparedBatch batch, parts.pipeline->Next());
    micro_batches.push_back(std::move(batch.pass));
  }
  return micro_batches;
}

}  // namespace

absl::StatusOr<RecipeRun> RunRecipe(JobSpec spec, int64_t steps) {
  at::set_num_threads(1);
  spec.mutable_data()->set_path(kPhotos);
  spec.mutable_evaluation()->clear_path();
  spec.mutable_resources()->set_num_ranks(1);
  Parts parts;
  ASSIGN_OR_RETURN(parts.spec, ResolveJobSpec(spec));
  RETURN_IF_ERROR(MakeModel(&parts));
  RETURN_IF_ERROR(OpenData(steps, &parts));
  ASSIGN_OR_RETURN(const std::vector<ForwardPass> first, NextStep(parts));
  RETURN_IF_ERROR(parts.step->Settle(first.front()));
  RecipeRun run;
  const int64_t total = TotalSteps(parts.spec, parts.dataset->size());
  for (int64_t step = 0; step < steps; ++step) {
    ASSIGN_OR_RETURN(const std::vector<ForwardPass> micro_batches, NextStep(parts));
    const double rate = LearningRate(parts.spec, step, parts.dataset->size());
    const double progress = static_cast<double>(step) / static_cast<double>(total);
    ASSIGN_OR_RETURN(const StepResult result, parts.step->Run(micro_batches, {rate, progress, /*feature_stats=*/true}));
    run.losses.push_back(result.loss.item<double>());
    for (const auto& [name, term] : result.terms) run.terms[name].push_back(term.item<double>());
    for (const auto& [name, stat] : result.stats) run.stats[name].push_back(stat.item<double>());
  }
  return run;
}

}  // namespace mimeo
