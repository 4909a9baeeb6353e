#include "worker/training/evaluation.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/spread_sample.h"
#include "evaluation/answers.h"
#include "evaluation/embedding.h"
#include "evaluation/label_census.h"
#include "evaluation/raw_pixels.h"
#include "evaluation/teacher_features.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/finite.h"
#include "model/patches.h"
#include "objective/losses.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr int kBatch = 32;
constexpr char kPath[] = "evaluation.path";
constexpr char kBankPath[] = "evaluation.bank_path";
constexpr char kOfEncoder[] = "";
constexpr char kOfAverage[] = "ema_";
constexpr char kOfRawPixels[] = "knn_raw_pixels";

absl::Status InField(const std::string& field, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(field, ": ", status.message()));
}

at::Tensor RowsAt(const at::Tensor& rows_ND, const std::vector<int64_t>& index) {
  return rows_ND.index_select(0, at::tensor(index, at::kLong));
}

}  // namespace

// Who measures features of a set in one pass. By name: encoders by the prefix of their values, baselines by their
// value.
struct Evaluation::Uses {
  std::map<std::string, std::unique_ptr<ImageEmbedder>> encoders;
  std::map<std::string, std::unique_ptr<TeacherEmbedder>> teachers;
  std::map<std::string, std::unique_ptr<RawPixels>> pixels;

  std::vector<CropUse*> all() const {
    std::vector<CropUse*> uses;
    for (const auto& [name, use] : encoders) uses.push_back(use.get());
    for (const auto& [name, use] : teachers) uses.push_back(use.get());
    for (const auto& [name, use] : pixels) uses.push_back(use.get());
    return uses;
  }
  // Of this rank's images, by the same names.
  std::map<std::string, Embeddings> Finish() {
    std::map<std::string, Embeddings> found;
    for (const auto& [name, use] : encoders) found.emplace(name, use->Finish());
    for (const auto& [name, use] : teachers) found.emplace(name, use->Finish());
    for (const auto& [name, use] : pixels) found.emplace(name, use->Finish());
    return found;
  }
};

// Of all ranks, by sample; bad samples are left out.
struct Evaluation::Features {
  at::Tensor class_ND;  // undefined without class token
  at::Tensor mean_ND;
};
struct Evaluation::SetFeatures {
  std::map<std::string, Features> by_use;
  int64_t images = 0;
  // Of those rows that have a label, which are all that k-NN is measured on: their places, and their classes as the
  // bank numbers them.
  std::vector<int64_t> labelled;
  std::vector<int> labels;

  // Of these images by those of a bank. `rows`: which of the features.
  absl::StatusOr<double> Neighbours(const SetFeatures& bank, const std::string& use, at::Tensor Features::*rows,
                                    const KnnOptions& options) const {
    ASSIGN_OR_RETURN(const Answers answers,
                     ClassifyByNeighbours(RowsAt(bank.by_use.at(use).*rows, bank.labelled), bank.labels,
                                          RowsAt(by_use.at(use).*rows, labelled), labels, options));
    return Accuracy(answers);
  }
};

absl::StatusOr<std::unique_ptr<Evaluation>> Evaluation::Open(const JobSpec& spec, at::Device device,
                                                             const EvaluationWatch& watch, const Opener& open) {
  auto evaluation = std::unique_ptr<Evaluation>(new Evaluation(spec, device, watch));
  ASSIGN_OR_RETURN(auto held_out, evaluation->OpenDataset(kPath, spec.evaluation().path(), open));
  ASSIGN_OR_RETURN(auto bank, evaluation->OpenDataset(kBankPath, spec.evaluation().bank_path(), open));
  RETURN_IF_ERROR(evaluation->TakeSets(kPath, std::move(held_out), std::move(bank)));
  return evaluation;
}

absl::StatusOr<std::unique_ptr<Evaluation>> Evaluation::OpenHeldOut(const JobSpec& spec, at::Device device,
                                                                    const EvaluationWatch& watch,
                                                                    std::unique_ptr<Dataset> held_out,
                                                                    std::unique_ptr<Dataset> bank) {
  auto evaluation = std::unique_ptr<Evaluation>(new Evaluation(spec, device, watch));
  RETURN_IF_ERROR(evaluation->TakeSets("evaluation.hold_out", std::move(held_out), std::move(bank)));
  return evaluation;
}

absl::StatusOr<std::unique_ptr<Dataset>> Evaluation::OpenDataset(const std::string& field, const std::string& path,
                                                                 const Opener& open) const {
  if (open != nullptr) return open(field, path);
  auto dataset = Dataset::Open(path, watch_.progress, spec_.data().members());
  RETURN_IF_ERROR(InField(field, dataset.status()));
  return dataset;
}

Evaluation::Set Evaluation::SetOf(const std::string& field, std::unique_ptr<Dataset> dataset) const {
  auto bad = std::make_unique<BadSamples>(dataset.get(), spec_.data(), std::set<int64_t>());
  return {field, std::move(dataset), {}, std::move(bad)};
}

// `field` is that of the set that is held out.
absl::Status Evaluation::TakeSets(const std::string& field, std::unique_ptr<Dataset> held_out,
                                  std::unique_ptr<Dataset> bank) {
  held_out_ = SetOf(field, std::move(held_out));
  bank_ = SetOf(kBankPath, std::move(bank));
  const int64_t most = spec_.evaluation().max_images();
  held_out_.samples = SpreadSample(*held_out_.dataset, AllSamples(*held_out_.dataset), most);
  bank_.samples = SpreadSample(*bank_.dataset, LabelledAmong(*bank_.dataset, AllSamples(*bank_.dataset)), most);
  labelled_ = !bank_.samples.empty() && !LabelledAmong(*held_out_.dataset, held_out_.samples).empty();
  const MeasuredSet voting = {bank_.field, bank_.dataset.get(), bank_.samples};
  const MeasuredSet asked = {held_out_.field, held_out_.dataset.get(), held_out_.samples};
  RETURN_IF_ERROR(CheckClassesMeet(voting, asked));
  for (const std::string& line : DescribeLabels(voting, asked)) spdlog::info("evaluation {}", line);
  for (const std::string& note : LabelNotes(voting, asked)) {
    notes_.push_back(ToText(note, limits::kShortReasonBytes));
  }
  RETURN_IF_ERROR(CheckDecodes(held_out_));
  return labelled_ ? CheckDecodes(bank_) : absl::OkStatus();
}

std::vector<DataContents> Evaluation::Contents() const {
  std::vector<DataContents> all;
  for (const Set* set : {&held_out_, &bank_}) {
    DataContents& contents = all.emplace_back(set->dataset->contents());
    contents.set_field(set->field);
    const std::string& bank_path = spec_.evaluation().bank_path();
    const bool trained_on = set == &bank_ && (bank_path.empty() || bank_path == spec_.data().path());
    if (trained_on) contents.clear_passed_over();
    if (set != &held_out_) continue;
    for (const std::string& note : notes_) contents.add_notes(note);
  }
  return all;
}

std::map<std::string, PassedOver> Evaluation::Undecodable() {
  std::map<std::string, PassedOver> found;
  for (const Set* set : {&held_out_, &bank_}) {
    if (!set->bad->all().empty()) found[set->field] = set->bad->Row();
  }
  return found;
}

// Found before the training, and not by the evaluation after it.
absl::Status Evaluation::CheckDecodes(const Set& set) const {
  PassOptions options;
  options.samples = set.samples;
  options.max_pixels = spec_.data().max_pixels();
  options.stop_wanted = watch_.stop_wanted;
  options.progress = [this](int64_t, int64_t) {
    if (watch_.progress != nullptr) watch_.progress->Move();
  };
  return InField(set.field, CheckAnyDecodes(*set.dataset, options));
}

std::vector<int64_t> Evaluation::Share(const Set& set, const Gang& gang) const {
  const auto images = static_cast<int64_t>(set.samples.size());
  const int64_t begin = images * gang.rank() / gang.size(), end = images * (gang.rank() + 1) / gang.size();
  return {set.samples.begin() + begin, set.samples.begin() + end};
}

// Asked after a pass and before its collectives, by the ranks that were told to stop inside it too: so no rank stands
// in a collective that another one left out. An error of one rank's own ends its process, and with it the gang.
// `bad` are the images that this rank could not decode; afterwards every rank knows those of all.
absl::Status Evaluation::GoOnTogether(const absl::Status& mine, const std::vector<int64_t>& bad, Set* set,
                                      Gang* gang) const {
  if (!mine.ok() && !absl::IsCancelled(mine)) return mine;
  at::Tensor said = at::zeros({2}, at::kDouble);
  double* const own = said.mutable_data_ptr<double>();
  own[0] = absl::IsCancelled(mine) || watch_.stop_wanted() ? 1 : 0, own[1] = static_cast<double>(bad.size());
  RETURN_IF_ERROR(gang->Sum(said));
  const double* const all = said.const_data_ptr<double>();
  if (all[0] > 0) return absl::CancelledError("told to stop during an evaluation");
  return all[1] > 0 ? set->bad->Share(bad, gang) : absl::OkStatus();
}

absl::Status Evaluation::PassOverShare(Set* set, const std::vector<CropUse*>& uses, Gang* gang) {
  PassOptions options;
  options.samples = Share(*set, *gang);
  options.batch = kBatch;
  options.max_pixels = spec_.data().max_pixels();
  // Those of the loader rest meanwhile.
  options.threads = std::max(spec_.data().loader_threads(), at::get_num_threads());
  options.stop_wanted = watch_.stop_wanted;
  options.progress = [this, set](int64_t done, int64_t of) {
    if (watch_.progress == nullptr) return;
    watch_.progress->Do(absl::StrCat("evaluation: ", set->field, ", ", done, " of this rank's ", of, " images"));
  };
  const absl::StatusOr<std::vector<LeftOut>> left_out = RunPass(*set->dataset, options, uses);
  std::vector<int64_t> bad;
  std::vector<LeftOut> news;  // for the log, which names each one once
  if (left_out.ok()) {
    for (const LeftOut& one : *left_out) {
      if (set->bad->all().count(one.sample) == 0) bad.push_back(one.sample), news.push_back(one);
    }
  }
  RETURN_IF_ERROR(InField(set->field, GoOnTogether(left_out.status(), bad, set, gang)));
  LogLeftOut(*set->dataset, news);
  return absl::OkStatus();
}

Evaluation::Uses Evaluation::FeatureUses(const EvaluatedModel& model,
                                         const std::vector<FeatureSource*>& teachers) const {
  Uses uses;
  if (!labelled_) return uses;
  ImageEmbedder::Options options;
  options.device = device_;
  const PixelStatistics statistics = StatisticsOf(spec_.data());
  uses.encoders[kOfEncoder] = std::make_unique<ImageEmbedder>(model.encoder, statistics, options);
  if (model.average != nullptr) {
    uses.encoders[kOfAverage] = std::make_unique<ImageEmbedder>(model.average, statistics, options);
  }
  if (!baselines_.empty()) return uses;
  for (FeatureSource* teacher : teachers) {
    if (!TeacherEmbedder::CanEmbed(*teacher)) continue;
    auto embedder = std::make_unique<TeacherEmbedder>(spec_, teacher, watch_.stop_wanted);
    uses.teachers[absl::StrCat("knn_teacher/", embedder->objective())] = std::move(embedder);
  }
  uses.pixels[kOfRawPixels] = std::make_unique<RawPixels>(spec_.data().channels());
  return uses;
}

absl::StatusOr<Evaluation::SetFeatures> Evaluation::Gather(const Set& set, Uses* uses, Gang* gang) const {
  SetFeatures features;
  const std::map<std::string, Embeddings> own = uses->Finish();
  if (own.empty()) return features;
  const auto images = static_cast<int64_t>(set.samples.size());
  std::vector<int64_t> places;  // every use has the same images
  for (const int64_t sample : own.begin()->second.samples) {
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
  features.images = good.size(0);
  if (features.images == 0) {
    return absl::InvalidArgumentError(absl::StrCat(set.field, ": none of its ", images, " images can be decoded"));
  }
  for (const auto& [name, embeddings] : own) {
    Features& of_use = features.by_use[name];
    ASSIGN_OR_RETURN(const at::Tensor mean, rows_of(embeddings.patch_mean_ND));
    of_use.mean_ND = mean.index_select(0, good);
    if (!embeddings.class_token_ND.defined()) continue;
    ASSIGN_OR_RETURN(const at::Tensor tokens, rows_of(embeddings.class_token_ND));
    of_use.class_ND = tokens.index_select(0, good);
  }
  std::vector<int> labels;
  for (int64_t row = 0; row < features.images; ++row) {
    const int label = set.dataset->label(set.samples[good[row].item<int64_t>()]);
    if (label < 0) continue;
    features.labelled.push_back(row);
    labels.push_back(label);
  }
  features.labels = LabelsAmong(labels, set.dataset->class_names(), bank_.dataset->class_names());
  return features;
}

absl::StatusOr<std::map<std::string, double>> Evaluation::GatherLosses(const HeldOutLosses& losses, Gang* gang) const {
  at::Tensor totals = at::zeros({static_cast<int64_t>(losses.sums().size()) + 1}, at::kDouble);
  int64_t i = 0;
  for (const auto& [name, sum] : losses.sums()) totals[i++] = sum;
  totals[i] = losses.images();
  RETURN_IF_ERROR(gang->Sum(totals));
  const double all = totals[i].item<double>();
  if (all == 0) return absl::InvalidArgumentError(absl::StrCat(held_out_.field, ": none of its images can be decoded"));
  std::map<std::string, double> values = {{"images", all}};
  i = 0;
  for (const auto& [name, sum] : losses.sums()) values["held_out_loss/" + name] = totals[i++].item<double>() / all;
  return values;
}

absl::Status Evaluation::SetBaselines(const SetFeatures& bank, const SetFeatures& held_out) {
  std::map<std::string, double> values;
  for (const auto& [name, features] : held_out.by_use) {
    if (name == kOfEncoder || name == kOfAverage) continue;
    ASSIGN_OR_RETURN(values[name], held_out.Neighbours(bank, name, &Features::mean_ND, knn()));
  }
  values["majority_rate"] = Accuracy(AlwaysMostFrequent(held_out.labels));
  values["knn_k"] = static_cast<double>(VotersOf(knn(), static_cast<int64_t>(bank.labelled.size())));
  values["bank_images"] = static_cast<double>(bank.labelled.size());
  values["unlabelled"] = static_cast<double>(held_out.images - static_cast<int64_t>(held_out.labelled.size()));
  baselines_ = std::move(values);
  return absl::OkStatus();
}

absl::Status Evaluation::AddNeighbours(const std::string& prefix, const SetFeatures& bank, const SetFeatures& held_out,
                                       EvaluationResult* result) const {
  const Features& votes = bank.by_use.at(prefix);
  const Features& asked = held_out.by_use.at(prefix);
  for (const at::Tensor& features : {votes.mean_ND, asked.mean_ND, votes.class_ND, asked.class_ND}) {
    const std::string not_finite = features.defined() ? NotFinite(features) : "";
    if (not_finite.empty()) continue;
    spdlog::error("evaluation {}k-NN is left out: the encoder's features hold {}", prefix, not_finite);
    return absl::OkStatus();
  }
  auto& values = *result->mutable_values();
  ASSIGN_OR_RETURN(const double mean, held_out.Neighbours(bank, prefix, &Features::mean_ND, knn()));
  values[prefix + "knn_accuracy"] = values[prefix + "knn_accuracy_patch_mean"] = mean;
  values[prefix + "effective_rank"] = EffectiveRank(asked.mean_ND).item<double>();
  if (votes.class_ND.defined()) {
    ASSIGN_OR_RETURN(values[prefix + "knn_accuracy_class"],
                     held_out.Neighbours(bank, prefix, &Features::class_ND, knn()));
  }
  return absl::OkStatus();
}

absl::StatusOr<EvaluationResult> Evaluation::Measure(int64_t step, const EvaluatedModel& model,
                                                     const std::vector<FeatureSource*>& teachers, Gang* gang) {
  EvaluationResult result;
  result.set_step(step);
  SetFeatures bank;
  if (labelled_) {
    Uses of_bank = FeatureUses(model, teachers);
    RETURN_IF_ERROR(PassOverShare(&bank_, of_bank.all(), gang));
    ASSIGN_OR_RETURN(bank, Gather(bank_, &of_bank, gang));
  }
  const ViewMaker views(spec_, device_);
  const auto make_pass = [&views](const Batch& batch) { return views.Make(batch, /*drop_path_rates=*/{}); };
  HeldOutLosses losses(spec_, model, teachers, make_pass, watch_.stop_wanted);
  Uses of_held_out = FeatureUses(model, teachers);
  std::vector<CropUse*> uses = of_held_out.all();
  uses.push_back(&losses);
  RETURN_IF_ERROR(PassOverShare(&held_out_, uses, gang));
  ASSIGN_OR_RETURN(const SetFeatures held_out, Gather(held_out_, &of_held_out, gang));
  ASSIGN_OR_RETURN(const auto loss_values, GatherLosses(losses, gang));
  result.mutable_values()->insert(loss_values.begin(), loss_values.end());
  if (labelled_) {
    if (baselines_.empty()) RETURN_IF_ERROR(SetBaselines(bank, held_out));
    result.mutable_values()->insert(baselines_.begin(), baselines_.end());
    for (const auto& [prefix, encoder] : of_held_out.encoders) {
      RETURN_IF_ERROR(AddNeighbours(prefix, bank, held_out, &result));
    }
  }
  result.mutable_time()->set_seconds(absl::ToUnixSeconds(Clock::Real()->Wall()));
  return result;
}

absl::StatusOr<EvaluationResult> Evaluation::Run(int64_t step, const EvaluatedModel& model,
                                                 const std::vector<FeatureSource*>& teachers, Gang* gang) {
  return CatchTorch([&] { return Measure(step, model, teachers, gang); });
}

}  // namespace mimeo
