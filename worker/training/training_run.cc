#include "worker/training/training_run.h"

#include <ATen/ops/zeros.h>

#include <utility>

#include "base/status_macros.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/mask_plan.h"
#include "worker/training/row_gatherer.h"
#include "worker/training/utilization.h"

namespace mimeo {
namespace {

// One would do but for libtorch, which warns of the strides of a gradient that is not summed over a batch.
constexpr int64_t kSettlingRows = 2;

}  // namespace

TrainingRun::TrainingRun(RunSetting setting) : setting_(std::move(setting)), views_(setting_.spec, setting_.device) {}

TrainingRun::~TrainingRun() = default;

absl::Status TrainingRun::MakeModel(std::vector<FeatureSource*> teachers) {
  teachers_ = std::move(teachers);
  ObjectiveSum::Context context;
  for (const FeatureSource* teacher : teachers_) {
    for (const std::string& objective : teacher->request().objectives) {
      context.teacher_widths[objective] = teacher->width();
    }
  }
  // Nothing is gathered before the gang is joined.
  context.rows = {setting_.rank, setting_.num_ranks,
                  [this](const at::Tensor& rows_BX) { return MakeRowGatherer(gang_).gather(rows_BX); }};
  ASSIGN_OR_RETURN(model_, MakeModelParts(setting_.spec, context, setting_.device));
  return absl::OkStatus();
}

absl::Status TrainingRun::MakeStep(Gang* gang) {
  gang_ = gang;
  ASSIGN_OR_RETURN(step_, MakeStepParts(setting_.spec, model_, gang, setting_.device));
  ForwardPass blank;
  RETURN_IF_ERROR(CatchTorch([&] { blank = BlankPass(kSettlingRows); }));
  return step_.step->Settle(blank);
}

absl::Status TrainingRun::OpenBatches(const Dataset* dataset, int64_t last_step, const LoaderPosition& start) {
  const JobSpec& spec = setting_.spec;
  Loader::Options loading;
  loading.rank = setting_.rank;
  loading.num_ranks = setting_.num_ranks;
  loading.last_step_batches = last_step;
  loading.start = start;
  loading.progress = setting_.progress;
  ASSIGN_OR_RETURN(loader_, Loader::Open(dataset, spec, loading));
  BatchPipeline::Options preparing;
  preparing.device = setting_.device;
  preparing.views = &views_;
  preparing.drop_path_rates = model_.encoder->drop_path_rates();
  preparing.micro_batches_per_step = AccumulationSteps(spec, setting_.num_ranks);
  preparing.stop_wanted = setting_.stop_wanted;
  batches_ = std::make_unique<BatchPipeline>(loader_.get(), teachers_, preparing);
  return absl::OkStatus();
}

absl::StatusOr<TrainEnd> TrainingRun::Train(const Training& training) {
  const JobSpec& spec = setting_.spec;
  StepReporter::Options reporting;
  reporting.steps_per_epoch = StepsPerEpoch(spec, training.dataset->size());
  reporting.device = setting_.device;
  reporting.steps_in_flight = setting_.device.is_cpu() ? 0 : 1;
  reporter_ = std::make_unique<StepReporter>(
      spec, reporting, UtilizationMeter(spec, setting_.num_ranks, training.device, setting_.device),
      StepReporter::Parts{gang_, step_.reducer.get(), training.ports});
  TrainerParts parts;
  parts.model = &model_;
  parts.state = state();
  parts.step = step_.step.get();
  parts.reporter = reporter_.get();
  parts.gang = gang_;
  parts.batches = batches_.get();
  parts.dataset = training.dataset;
  parts.evaluation = training.evaluation;
  parts.evaluation_teachers = training.evaluation_teachers;
  parts.ports = training.ports;
  return Trainer(spec, training.position, parts).Run();
}

ForwardPass TrainingRun::BlankPass(int64_t rows) const {
  const JobSpec& spec = setting_.spec;
  const DataSpec& data = spec.data();
  const auto black = [&](int height, int width) {
    return at::zeros({rows, data.channels(), height, width}, at::kByte);
  };
  Batch batch;
  for (int64_t row = 0; row < rows; ++row) batch.keys.push_back(RandomKey(static_cast<uint64_t>(row)));
  for (const ViewSpec& view : EachView(spec)) {
    batch.views_BCHW.push_back(black(view.image_px(), view.image_width_px()));
  }
  if (model_.objectives->needs().shared_target) batch.shared_BCHW = black(data.image_px(), data.image_width_px());
  ForwardPass pass = views_.Make(batch, model_.encoder->drop_path_rates());
  for (ViewInput& view : pass.views) {
    if (!view.plan.visible_BK.defined()) {  // a teacher would draw it
      view.plan = ToDevice(RandomMaskPlan(batch.keys, NumPatches(spec), NumVisible(spec)), setting_.device);
    }
    for (const FeatureSource* teacher : teachers_) {
      const TeacherRequest& request = teacher->request();
      const at::Tensor features = at::zeros({rows, NumTokens(request, spec), teacher->width()},
                                            at::TensorOptions(setting_.device).dtype(at::kFloat));
      for (const std::string& objective : request.objectives) view.teacher_BNT[objective] = features;
    }
  }
  return pass;
}

}  // namespace mimeo
