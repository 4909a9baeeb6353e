#include "worker/training/evaluation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "model/patches.h"
#include "objective/losses.h"
#include "worker/training/evaluation_batch.h"
#include "worker/training/teacher_features.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr int64_t kBatch = 32;
constexpr int kRawPixels = 32;

}  // namespace

// Of all ranks, by sample; bad samples are left out.
struct Evaluation::Features {
  at::Tensor class_ND;  // undefined without class token
  at::Tensor mean_ND;
  std::vector<int> labels;
};

absl::StatusOr<std::unique_ptr<Evaluation>> Evaluation::Open(const JobSpec& spec, at::Device device, const Opener& open) {
  auto evaluation = std::unique_ptr<Evaluation>(new Evaluation(spec, device));
  ASSIGN_OR_RETURN(evaluation->held_out_, open("evaluation.path", spec.evaluation().path()));
  ASSIGN_OR_RETURN(evaluation->bank_, open("evaluation.bank_path", spec.evaluation().bank_path()));
  return evaluation;
}

bool Evaluation::labelled() const { return !held_out_->class_names().empty() && !bank_->class_names().empty(); }

int64_t Evaluation::Images(const Dataset& dataset) const {
  const int64_t most = spec_.evaluation().max_images();
  return most == 0 ? dataset.size() : std::min(most, dataset.size());
}

EmbedOptions Evaluation::Share(const Dataset& dataset, const Gang& gang) const {
  EmbedOptions options;
  const int64_t images = Images(dataset);
  options.begin = images * gang.rank() / gang.size();
  options.end = images * (gang.rank() + 1) / gang.size();
  options.batch = kBatch;
  options.image = ImageShapeOf(spec_.data());
  options.max_pixels = spec_.data().max_pixels();
  options.device = device_;
  return options;
}

absl::StatusOr<Evaluation::Features> Evaluation::Gather(const Dataset& dataset, const Embeddings& own, Gang* gang) const {
  const int64_t images = Images(dataset);
  const auto rows_of = [&](const at::Tensor& local_ND) -> absl::StatusOr<at::Tensor> {
    at::Tensor all = at::zeros({images, local_ND.size(1)}, at::kFloat);
    for (size_t i = 0; i < own.samples.size(); ++i) all[own.samples[i]].copy_(local_ND[i]);
    RETURN_IF_ERROR(gang->Sum(all));
    return all;
  };
  at::Tensor there = at::zeros({images, 1}, at::kFloat);
  for (int64_t sample : own.samples) there[sample].fill_(1);
  RETURN_IF_ERROR(gang->Sum(there));
  const at::Tensor good = there.select(1, 0).nonzero().select(1, 0);
  Features features;
  ASSIGN_OR_RETURN(const at::Tensor mean, rows_of(own.patch_mean_ND));
  features.mean_ND = mean.index_select(0, good);
  if (own.class_token_ND.defined()) {
    ASSIGN_OR_RETURN(const at::Tensor tokens, rows_of(own.class_token_ND));
    features.class_ND = tokens.index_select(0, good);
  }
  for (int64_t i = 0; i < good.size(0); ++i) features.labels.push_back(dataset.label(good[i].item<int64_t>()));
  return features;
}

absl::StatusOr<Evaluation::Features> Evaluation::Embed(const Dataset& dataset, const Encoder& encoder, Gang* gang) const {
  ASSIGN_OR_RETURN(const Embeddings own, EmbedImages(dataset, encoder, StatisticsOf(spec_.data()), Share(dataset, *gang)));
  return Gather(dataset, own, gang);
}

absl::StatusOr<double> Evaluation::Neighbours(const Features& bank, const Features& held_out) const {
  const std::vector<int> labels = LabelsAmong(held_out.labels, held_out_->class_names(), bank_->class_names());
  const KnnOptions knn = {spec_.evaluation().knn_k(), spec_.evaluation().knn_temperature()};
  return KnnAccuracy(bank.mean_ND, bank.labels, held_out.mean_ND, labels, knn);
}

absl::Status Evaluation::AddTeacher(FeatureSource* teacher, Gang* gang) {
  const TeacherRequest& request = teacher->request();
  // One that draws masks would draw here too.
  if (request.objectives.empty() || request.draws_masks) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Embeddings bank_own, EmbedByTeacher(*bank_, spec_, Share(*bank_, *gang), teacher));
  ASSIGN_OR_RETURN(const Embeddings own, EmbedByTeacher(*held_out_, spec_, Share(*held_out_, *gang), teacher));
  ASSIGN_OR_RETURN(const Features bank, Gather(*bank_, bank_own, gang));
  ASSIGN_OR_RETURN(const Features held_out, Gather(*held_out_, own, gang));
  ASSIGN_OR_RETURN(baselines_[absl::StrCat("knn_teacher/", request.objectives.front())], Neighbours(bank, held_out));
  return absl::OkStatus();
}

absl::Status Evaluation::AddBaselines(const std::vector<FeatureSource*>& teachers, Gang* gang) {
  for (FeatureSource* teacher : teachers) RETURN_IF_ERROR(AddTeacher(teacher, gang));
  ASSIGN_OR_RETURN(const Embeddings bank_own, RawPixelFeatures(*bank_, kRawPixels, Share(*bank_, *gang)));
  ASSIGN_OR_RETURN(const Embeddings own, RawPixelFeatures(*held_out_, kRawPixels, Share(*held_out_, *gang)));
  ASSIGN_OR_RETURN(const Features bank, Gather(*bank_, bank_own, gang));
  ASSIGN_OR_RETURN(const Features held_out, Gather(*held_out_, own, gang));
  const std::vector<int> labels = LabelsAmong(held_out.labels, held_out_->class_names(), bank_->class_names());
  ASSIGN_OR_RETURN(baselines_["knn_raw_pixels"], Neighbours(bank, held_out));
  baselines_["majority_rate"] = MajorityRate(labels);
  return absl::OkStatus();
}

absl::Status Evaluation::AddNeighbours(const std::string& prefix, const Encoder& encoder, Gang* gang, EvaluationResult* result) {
  ASSIGN_OR_RETURN(const Features bank, Embed(*bank_, encoder, gang));
  ASSIGN_OR_RETURN(const Features held_out, Embed(*held_out_, encoder, gang));
  const std::vector<int> labels = LabelsAmong(held_out.labels, held_out_->class_names(), bank_->class_names());
  const KnnOptions knn = {spec_.evaluation().knn_k(), spec_.evaluation().knn_temperature()};
  auto& values = *result->mutable_values();
  values.insert(baselines_.begin(), baselines_.end());
  ASSIGN_OR_RETURN(const double mean, Neighbours(bank, held_out));
  values[prefix + "knn_accuracy"] = values[prefix + "knn_accuracy_patch_mean"] = mean;
  values[prefix + "effective_rank"] = EffectiveRank(held_out.mean_ND).item<double>();
  if (bank.class_ND.defined()) {
    ASSIGN_OR_RETURN(values[prefix + "knn_accuracy_class"], KnnAccuracy(bank.class_ND, bank.labels, held_out.class_ND, labels, knn));
  }
  return absl::OkStatus();
}

absl::Status Evaluation::AddHeldOutLosses(const EvaluatedModel& model,
                                          const std::vector<FeatureSource*>& teachers, Gang* gang, EvaluationResult* result) {
  const at::NoGradGuard no_grad;
  const EmbedOptions share = Share(*held_out_, *gang);
  const ViewMaker views(spec_, device_);
  // Names first, so that a rank without images sums the same number of terms.
  std::map<std::string, double> sums;
  for (const ObjectiveSpec& objective : spec_.objective()) sums[objective.name()] = 0;
  double images = 0;
  for (int64_t begin = share.begin; begin < share.end; begin += kBatch) {
    const Batch batch = ReadEvaluationBatch(*held_out_, spec_, begin, std::min(begin + kBatch, share.end));
    if (batch.sample_ids.empty()) continue;
    ForwardPass pass;
    RETURN_IF_ERROR(CatchTorch([&] { pass = views.Make(batch, /*drop_path_rates=*/{}); }));
    pass.alone = true;  // ranks have different numbers of rows here
    for (FeatureSource* teacher : teachers) RETURN_IF_ERROR(teacher->Attach(batch, absl::InfiniteFuture(), &pass.views));
    RETURN_IF_ERROR(CatchTorch([&] {
      EncodeViews(*model.encoder, model.average, *model.objectives, &pass);
      const double rows = static_cast<double>(batch.sample_ids.size());
      for (const auto& [name, term] : model.objectives->Compute(pass).terms) sums[name] += term.item<double>() * rows;
      images += rows;
    }));
  }
  at::Tensor totals = at::zeros({static_cast<int64_t>(sums.size()) + 1}, at::kDouble);
  int64_t i = 0;
  for (const auto& [name, sum] : sums) totals[i++] = sum;
  totals[i] = images;
  RETURN_IF_ERROR(gang->Sum(totals));
  const double all = totals[i].item<double>();
  (*result->mutable_values())["images"] = all;
  if (all == 0) return absl::InvalidArgumentError("evaluation.path: none of its images can be decoded");
  i = 0;
  for (const auto& [name, sum] : sums) (*result->mutable_values())["held_out_loss/" + name] = totals[i++].item<double>() / all;
  return absl::OkStatus();
}

absl::StatusOr<EvaluationResult> Evaluation::Run(int64_t step, const EvaluatedModel& model,
                                                 const std::vector<FeatureSource*>& teachers, Gang* gang) {
  EvaluationResult result;
  result.set_step(step);
  if (labelled() && baselines_.empty()) RETURN_IF_ERROR(AddBaselines(teachers, gang));
  if (labelled()) RETURN_IF_ERROR(AddNeighbours("", *model.encoder, gang, &result));
  if (labelled() && model.average != nullptr) RETURN_IF_ERROR(AddNeighbours("ema_", *model.average, gang, &result));
  RETURN_IF_ERROR(AddHeldOutLosses(model, teachers, gang, &result));
  result.mutable_time()->set_seconds(absl::ToUnixSeconds(Clock::Real()->Wall()));
  return result;
}

}  // namespace mimeo
