#include "worker/training/evaluation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/decode.h"
#include "data/spread_sample.h"
#include "evaluation/evaluation_batch.h"
#include "evaluation/label_census.h"
#include "evaluation/teacher_features.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/finite.h"
#include "model/patches.h"
#include "objective/losses.h"
#include "teacher/attach_or_stop.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr int64_t kBatch = 32;
constexpr int kRawPixels = 32;

absl::Status InField(const std::string& field, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(field, ": ", status.message()));
}

at::Tensor RowsAt(const at::Tensor& rows_ND, const std::vector<int64_t>& index) {
  return rows_ND.index_select(0, at::tensor(index, at::kLong));
}

}  // namespace

// Of all ranks, by sample; bad samples are left out.
struct Evaluation::Features {
  at::Tensor class_ND;  // undefined without class token
  at::Tensor mean_ND;
  // Of those rows that have a label, which are all that k-NN is measured on: their places, and their classes as the
  // bank numbers them.
  std::vector<int64_t> labelled;
  std::vector<int> labels;

  absl::StatusOr<double> Neighbours(const Features& bank, const KnnOptions& options) const {
    return Accuracy(bank, bank.mean_ND, mean_ND, options);
  }
  absl::StatusOr<double> ClassNeighbours(const Features& bank, const KnnOptions& options) const {
    return Accuracy(bank, bank.class_ND, class_ND, options);
  }

 private:
  absl::StatusOr<double> Accuracy(const Features& bank, const at::Tensor& votes_ND, const at::Tensor& asked_ND,
                                  const KnnOptions& options) const {
    return KnnAccuracy(RowsAt(votes_ND, bank.labelled), bank.labels, RowsAt(asked_ND, labelled), labels, options);
  }
};

// Of this rank's images: by objective, the sum over images.
struct Evaluation::LossSums {
  std::map<std::string, double> by_objective;
  double images = 0;
};

absl::StatusOr<std::unique_ptr<Evaluation>> Evaluation::Open(const JobSpec& spec, at::Device device,
                                                             const EvaluationWatch& watch, const Opener& open) {
  auto evaluation = std::unique_ptr<Evaluation>(new Evaluation(spec, device, watch));
  Set& held_out = evaluation->held_out_;
  Set& bank = evaluation->bank_;
  RETURN_IF_ERROR(evaluation->OpenSet("evaluation.path", spec.evaluation().path(), open, &held_out));
  RETURN_IF_ERROR(evaluation->OpenSet("evaluation.bank_path", spec.evaluation().bank_path(), open, &bank));
  const int64_t most = spec.evaluation().max_images();
  held_out.samples = SpreadSample(*held_out.dataset, AllSamples(*held_out.dataset), most);
  bank.samples = SpreadSample(*bank.dataset, LabelledAmong(*bank.dataset, AllSamples(*bank.dataset)), most);
  evaluation->labelled_ = !bank.samples.empty() && !LabelledAmong(*held_out.dataset, held_out.samples).empty();
  for (const std::string& line : DescribeLabels({bank.field, bank.dataset.get(), bank.samples},
                                                {held_out.field, held_out.dataset.get(), held_out.samples})) {
    spdlog::info("evaluation {}", line);
  }
  RETURN_IF_ERROR(evaluation->CheckDecodes(held_out));
  if (evaluation->labelled_) RETURN_IF_ERROR(evaluation->CheckDecodes(bank));
  return evaluation;
}

absl::Status Evaluation::OpenSet(const std::string& field, const std::string& path, const Opener& open,
                                 Set* set) const {
  set->field = field;
  if (open != nullptr) {
    ASSIGN_OR_RETURN(set->dataset, open(field, path));
    return absl::OkStatus();
  }
  auto dataset = Dataset::Open(path, watch_.progress);
  RETURN_IF_ERROR(InField(field, dataset.status()));
  set->dataset = *std::move(dataset);
  return absl::OkStatus();
}

// One image that decodes is enough: found before the training, and not by the evaluation after it.
absl::Status Evaluation::CheckDecodes(const Set& set) const {
  std::string first;
  for (const int64_t sample : set.samples) {
    if (watch_.stop_wanted()) return absl::CancelledError("told to stop while images are tried");
    const absl::StatusOr<std::string> bytes = set.dataset->Read(sample);
    const absl::Status status = bytes.ok() ? DecodeImage(*bytes, spec_.data().max_pixels()).status() : bytes.status();
    if (watch_.progress != nullptr) watch_.progress->Move();
    if (status.ok()) return absl::OkStatus();
    if (!IsBadImage(status)) return InField(set.field, status);
    if (first.empty()) first = absl::StrCat(ToText(set.dataset->name(sample)), ": ", ToText(status.message()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(set.field, ": none of its ", set.samples.size(), " images can be decoded; the first: ", first));
}

void Evaluation::Say(const Set& set, const char* doing, int64_t done, int64_t of) const {
  if (watch_.progress == nullptr) return;
  watch_.progress->Do(
      absl::StrCat("evaluation: ", doing, " ", set.field, ", ", done, " of this rank's ", of, " images"));
}

std::vector<int64_t> Evaluation::Share(const Set& set, const Gang& gang) const {
  const auto images = static_cast<int64_t>(set.samples.size());
  const int64_t begin = images * gang.rank() / gang.size(), end = images * (gang.rank() + 1) / gang.size();
  return {set.samples.begin() + begin, set.samples.begin() + end};
}

EmbedOptions Evaluation::ShareOptions(const Set& set, const Gang& gang) const {
  EmbedOptions options;
  options.samples = Share(set, gang);
  options.batch = kBatch;
  options.image = ImageShapeOf(spec_.data());
  options.max_pixels = spec_.data().max_pixels();
  options.device = device_;
  options.stop_wanted = watch_.stop_wanted;
  options.progress = [this, &set](int64_t done, int64_t of) { Say(set, "embeds", done, of); };
  return options;
}

void Evaluation::NameLeftOut(const Set& set, const Embeddings& embeddings) {
  std::vector<LeftOut> news;
  for (const LeftOut& left_out : embeddings.left_out) {
    if (named_.insert(absl::StrCat(set.field, " ", left_out.sample)).second) news.push_back(left_out);
  }
  LogLeftOut(*set.dataset, news);
}

// Asked before the collectives of a part, by the ranks that were told to stop inside it too: so no rank stands in a
// collective that another one left out. An error of one rank's own ends its process, and with it the gang.
absl::Status Evaluation::GoOnTogether(const absl::Status& mine, Gang* gang) const {
  if (!mine.ok() && !absl::IsCancelled(mine)) return mine;
  at::Tensor stops = at::zeros({1}, at::kDouble);
  *stops.mutable_data_ptr<double>() = absl::IsCancelled(mine) || watch_.stop_wanted() ? 1 : 0;
  RETURN_IF_ERROR(gang->Sum(stops));
  return *stops.const_data_ptr<double>() > 0 ? absl::CancelledError("told to stop during an evaluation")
                                             : absl::OkStatus();
}

absl::StatusOr<Evaluation::Features> Evaluation::Gather(const Set& set, const absl::StatusOr<Embeddings>& own,
                                                        Gang* gang) const {
  RETURN_IF_ERROR(InField(set.field, GoOnTogether(own.status(), gang)));
  const auto images = static_cast<int64_t>(set.samples.size());
  std::vector<int64_t> places;
  for (const int64_t sample : own->samples) {
    places.push_back(std::lower_bound(set.samples.begin(), set.samples.end(), sample) - set.samples.begin());
  }
  const at::Tensor places_N = at::tensor(places, at::kLong);
  const auto rows_of = [&](const at::Tensor& local_ND) -> absl::StatusOr<at::Tensor> {
    at::Tensor all = at::zeros({images, local_ND.size(1)}, at::kFloat);
    all.index_copy_(0, places_N, local_ND);
    RETURN_IF_ERROR(gang->Sum(all));
    return all;
  };
  ASSIGN_OR_RETURN(const at::Tensor there, rows_of(at::ones({places_N.size(0), 1}, at::kFloat)));
  const at::Tensor good = there.select(1, 0).nonzero().select(1, 0);
  if (good.size(0) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(set.field, ": none of its ", images, " images can be decoded"));
  }
  Features features;
  ASSIGN_OR_RETURN(const at::Tensor mean, rows_of(own->patch_mean_ND));
  features.mean_ND = mean.index_select(0, good);
  if (own->class_token_ND.defined()) {
    ASSIGN_OR_RETURN(const at::Tensor tokens, rows_of(own->class_token_ND));
    features.class_ND = tokens.index_select(0, good);
  }
  std::vector<int> labels;
  for (int64_t row = 0; row < good.size(0); ++row) {
    const int label = set.dataset->label(set.samples[good[row].item<int64_t>()]);
    if (label < 0) continue;
    features.labelled.push_back(row);
    labels.push_back(label);
  }
  features.labels = LabelsAmong(labels, set.dataset->class_names(), bank_.dataset->class_names());
  return features;
}

absl::StatusOr<Evaluation::Features> Evaluation::Embed(const Set& set, const Encoder& encoder, Gang* gang) {
  const auto own = EmbedImages(*set.dataset, encoder, StatisticsOf(spec_.data()), ShareOptions(set, *gang));
  if (own.ok()) NameLeftOut(set, *own);
  return Gather(set, own, gang);
}

absl::Status Evaluation::AddTeacher(FeatureSource* teacher, Gang* gang, std::map<std::string, double>* values) const {
  const TeacherRequest& request = teacher->request();
  // One that draws masks would draw here too.
  if (request.objectives.empty() || request.draws_masks()) return absl::OkStatus();
  const auto features_of = [&](const Set& set) {
    return Gather(set, EmbedByTeacher(*set.dataset, spec_, ShareOptions(set, *gang), teacher), gang);
  };
  ASSIGN_OR_RETURN(const Features bank, features_of(bank_));
  ASSIGN_OR_RETURN(const Features held_out, features_of(held_out_));
  ASSIGN_OR_RETURN((*values)[absl::StrCat("knn_teacher/", request.objectives.front())],
                   held_out.Neighbours(bank, knn()));
  return absl::OkStatus();
}

absl::Status Evaluation::AddBaselines(const std::vector<FeatureSource*>& teachers, Gang* gang) {
  std::map<std::string, double> values;
  for (FeatureSource* teacher : teachers) RETURN_IF_ERROR(AddTeacher(teacher, gang, &values));
  const auto features_of = [&](const Set& set) {
    return Gather(set, RawPixelFeatures(*set.dataset, kRawPixels, ShareOptions(set, *gang)), gang);
  };
  ASSIGN_OR_RETURN(const Features bank, features_of(bank_));
  ASSIGN_OR_RETURN(const Features held_out, features_of(held_out_));
  ASSIGN_OR_RETURN(values["knn_raw_pixels"], held_out.Neighbours(bank, knn()));
  values["majority_rate"] = MajorityRate(held_out.labels);
  values["knn_k"] = static_cast<double>(VotersOf(knn(), static_cast<int64_t>(bank.labelled.size())));
  values["bank_images"] = static_cast<double>(bank.labelled.size());
  values["unlabelled"] = static_cast<double>(held_out.mean_ND.size(0) - static_cast<int64_t>(held_out.labelled.size()));
  baselines_ = std::move(values);
  return absl::OkStatus();
}

absl::Status Evaluation::AddNeighbours(const std::string& prefix, const Encoder& encoder, Gang* gang,
                                       EvaluationResult* result) {
  ASSIGN_OR_RETURN(const Features bank, Embed(bank_, encoder, gang));
  ASSIGN_OR_RETURN(const Features held_out, Embed(held_out_, encoder, gang));
  for (const at::Tensor& features : {bank.mean_ND, held_out.mean_ND, bank.class_ND, held_out.class_ND}) {
    const std::string not_finite = features.defined() ? NotFinite(features) : "";
    if (not_finite.empty()) continue;
    spdlog::error("evaluation {}k-NN is left out: the encoder's features hold {}", prefix, not_finite);
    return absl::OkStatus();
  }
  auto& values = *result->mutable_values();
  ASSIGN_OR_RETURN(const double mean, held_out.Neighbours(bank, knn()));
  values[prefix + "knn_accuracy"] = values[prefix + "knn_accuracy_patch_mean"] = mean;
  values[prefix + "effective_rank"] = EffectiveRank(held_out.mean_ND).item<double>();
  if (bank.class_ND.defined()) {
    ASSIGN_OR_RETURN(values[prefix + "knn_accuracy_class"], held_out.ClassNeighbours(bank, knn()));
  }
  return absl::OkStatus();
}

absl::Status Evaluation::SumLosses(const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers,
                                   const std::vector<int64_t>& samples, LossSums* sums) const {
  const ViewMaker views(spec_, device_);
  const auto all = static_cast<int64_t>(samples.size());
  for (int64_t first = 0; first < all; first += kBatch) {
    if (watch_.stop_wanted()) return absl::CancelledError("told to stop while losses are measured");
    const int64_t last = std::min(first + kBatch, all);
    ASSIGN_OR_RETURN(const Batch batch,
                     ReadEvaluationBatch(*held_out_.dataset, spec_, {samples.begin() + first, samples.begin() + last}));
    if (batch.sample_ids.empty()) continue;
    ForwardPass pass = views.Make(batch, /*drop_path_rates=*/{});
    pass.alone = true;  // ranks have different numbers of rows here
    for (FeatureSource* teacher : teachers) {
      RETURN_IF_ERROR(AttachOrStop(teacher, batch, watch_.stop_wanted, &pass.views));
    }
    EncodeViews(*model.encoder, model.average, *model.objectives, &pass);
    const double rows = static_cast<double>(batch.sample_ids.size());
    for (const auto& [name, term] : model.objectives->Compute(pass).terms) {
      sums->by_objective[name] += term.item<double>() * rows;
    }
    sums->images += rows;
    Say(held_out_, "measures the losses of", last, all);
  }
  return absl::OkStatus();
}

absl::Status Evaluation::AddHeldOutLosses(const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers,
                                          Gang* gang, EvaluationResult* result) {
  const at::NoGradGuard no_grad;
  LossSums sums;
  // Names first, so that a rank without images sums the same number of terms.
  for (const ObjectiveSpec& objective : spec_.objective()) sums.by_objective[objective.name()] = 0;
  RETURN_IF_ERROR(
      GoOnTogether(CatchTorch([&] { return SumLosses(model, teachers, Share(held_out_, *gang), &sums); }), gang));
  at::Tensor totals = at::zeros({static_cast<int64_t>(sums.by_objective.size()) + 1}, at::kDouble);
  int64_t i = 0;
  for (const auto& [name, sum] : sums.by_objective) totals[i++] = sum;
  totals[i] = sums.images;
  RETURN_IF_ERROR(gang->Sum(totals));
  const double all = totals[i].item<double>();
  auto& values = *result->mutable_values();
  values["images"] = all;
  if (all == 0) return absl::InvalidArgumentError(absl::StrCat(held_out_.field, ": none of its images can be decoded"));
  i = 0;
  for (const auto& [name, sum] : sums.by_objective) values["held_out_loss/" + name] = totals[i++].item<double>() / all;
  return absl::OkStatus();
}

absl::StatusOr<EvaluationResult> Evaluation::Measure(int64_t step, const EvaluatedModel& model,
                                                     const std::vector<FeatureSource*>& teachers, Gang* gang) {
  EvaluationResult result;
  result.set_step(step);
  if (labelled_) {
    if (baselines_.empty()) RETURN_IF_ERROR(AddBaselines(teachers, gang));
    result.mutable_values()->insert(baselines_.begin(), baselines_.end());
    RETURN_IF_ERROR(AddNeighbours("", *model.encoder, gang, &result));
    if (model.average != nullptr) RETURN_IF_ERROR(AddNeighbours("ema_", *model.average, gang, &result));
  }
  RETURN_IF_ERROR(AddHeldOutLosses(model, teachers, gang, &result));
  result.mutable_time()->set_seconds(absl::ToUnixSeconds(Clock::Real()->Wall()));
  return result;
}

absl::StatusOr<EvaluationResult> Evaluation::Run(int64_t step, const EvaluatedModel& model,
                                                 const std::vector<FeatureSource*>& teachers, Gang* gang) {
  return CatchTorch([&] { return Measure(step, model, teachers, gang); });
}

}  // namespace mimeo
