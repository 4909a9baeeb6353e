// Objectives that compare with the averaged network, against references that are loops over doubles. On one rank; over
// a gang: worker/training/contrast_test.cc.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/mask_plan.h"
#include "objective/self_distillation.h"
#include "objective/testing/small_model.h"

namespace mimeo {
namespace {

using testing::AddCosine;
using testing::AddInfoNce;
using testing::AddSelfDistillation;
using testing::ExpectGradientsAreSlopes;
using testing::Images;
using testing::SmallModel;

constexpr char kName[] = "views";
constexpr char kPrefix[] = "objective.views.";
constexpr int kBatch = 4;

// ---- The reference: rows of doubles.

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Rows RowsOf(const at::Tensor& x_NX) {
  Rows rows(static_cast<size_t>(x_NX.size(0)));
  for (int64_t n = 0; n < x_NX.size(0); ++n) {
    for (int64_t i = 0; i < x_NX.size(1); ++i) rows[n].push_back(x_NX[n][i].item<double>());
  }
  return rows;
}

Row RowOf(const at::Tensor& x_X) { return RowsOf(x_X.detach().unsqueeze(0))[0]; }

double Dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Rows ForEachValue(Rows rows, const std::function<double(double)>& function) {
  for (Row& row : rows) {
    for (double& value : row) value = function(value);
  }
  return rows;
}

Rows Unit(Rows rows) {
  for (Row& row : rows) {
    const double length = std::sqrt(Dot(row, row));
    for (double& value : row) value /= length;
  }
  return rows;
}

Row Softmax(const Row& row, double temperature) {
  Row shares;
  double sum = 0;
  for (const double value : row) shares.push_back(std::exp(value / temperature)), sum += shares.back();
  for (double& share : shares) share /= sum;
  return shares;
}

// The heads' parameters by their names.
class Reference {
 public:
  explicit Reference(const Parameters& parameters) : parameters_(parameters) {}

  Rows Linear(const Rows& x, const std::string& name, bool bias) const {
    const Rows weight = RowsOf(parameters_.Find(kPrefix + name + ".weight"));
    const Row add = bias ? RowOf(parameters_.Find(kPrefix + name + ".bias")) : Row(weight.size(), 0.0);
    Rows y;
    for (const Row& row : x) {
      y.emplace_back();
      for (size_t o = 0; o < weight.size(); ++o) y.back().push_back(Dot(row, weight[o]) + add[o]);
    }
    return y;
  }

  // Feature by feature; `name` empty: no affine.
  Rows BatchNorm(Rows x, const std::string& name) const {
    const double count = static_cast<double>(x.size());
    for (size_t f = 0; f < x[0].size(); ++f) {
      double mean = 0, variance = 0;
      for (const Row& row : x) mean += row[f] / count;
      for (const Row& row : x) variance += (row[f] - mean) * (row[f] - mean) / count;
      const double weight = name.empty() ? 1 : RowOf(parameters_.Find(kPrefix + name + ".weight"))[f];
      const double bias = name.empty() ? 0 : RowOf(parameters_.Find(kPrefix + name + ".bias"))[f];
      for (Row& row : x) row[f] = (row[f] - mean) / std::sqrt(variance + 1e-5) * weight + bias;
    }
    return x;
  }

  // The heads of AddContrastive (objective/testing) under `name`: one hidden layer.
  Rows Head(const Rows& x, const std::string& name, bool final_norm) const {
    const Rows hidden = ForEachValue(BatchNorm(Linear(x, name + ".fc1", false), name + ".norm1"),
                                     [](double v) { return std::max(0.0, v); });
    return final_norm ? BatchNorm(Linear(hidden, name + ".fc2", false), "") : Linear(hidden, name + ".fc2", true);
  }

  // DINO's head of AddSelfDistillation: cosines with the prototypes.
  Rows Scores(const Rows& x) const {
    const Rows hidden = ForEachValue(Linear(x, "head.fc1", true),
                                     [](double v) { return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))); });
    const Rows bottleneck = Unit(Linear(hidden, "head.fc2", true));
    const Rows prototypes = Unit(RowsOf(parameters_.Find(std::string(kPrefix) + "prototypes")));
    Rows scores;
    for (const Row& row : bottleneck) {
      scores.emplace_back();
      for (const Row& prototype : prototypes) scores.back().push_back(Dot(row, prototype));
    }
    return scores;
  }

 private:
  const Parameters& parameters_;
};

Rows MeanPooled(const Encoding& encoding) {
  const at::Tensor tokens = encoding.visible_BKD.detach();
  Rows rows;
  for (int64_t b = 0; b < tokens.size(0); ++b) {
    rows.emplace_back(Row(static_cast<size_t>(tokens.size(2)), 0.0));
    for (const Row& token : RowsOf(tokens[b])) {
      for (size_t i = 0; i < token.size(); ++i) rows.back()[i] += token[i] / static_cast<double>(tokens.size(1));
    }
  }
  return rows;
}

// The mean of `compare` over all pairs of an encoding and another view's target.
double OverPairs(const ForwardPass& pass, const std::function<double(const Encoding&, const Encoding&)>& compare) {
  double sum = 0, pairs = 0;
  for (size_t i = 0; i < pass.encodings.size(); ++i) {
    for (const auto& [view, target] : pass.targets) {
      if (view == pass.views[i].view) continue;
      sum += compare(pass.encodings[i], target);
      ++pairs;
    }
  }
  return sum / pairs;
}

// ---- MoCo-v3 and BYOL.

JobSpec Averaged(const std::function<ContrastiveSpec*(JobSpec*)>& add, bool final_norm) {
  JobSpec spec;
  ContrastiveSpec* contrastive = add(&spec);
  contrastive->set_average_target(true);
  contrastive->mutable_predictor()->set_hidden_width(7);
  contrastive->mutable_predictor()->set_final_norm(final_norm);
  spec.mutable_ema()->set_decay(0.99), spec.mutable_ema()->set_final_decay(0.99);
  return spec;
}

JobSpec Moco() {
  return Averaged([](JobSpec* spec) { return AddInfoNce(kName, 1, spec); }, /*final_norm=*/true);
}
JobSpec Byol() {
  return Averaged([](JobSpec* spec) { return AddCosine(kName, 1, spec); }, /*final_norm=*/false);
}

ForwardPass ThreeViews(const SmallModel& model) {
  return model.Forward({Images(kBatch, 0), Images(kBatch, 1), Images(kBatch, 2)});
}

double MocoByLoops(const SmallModel& model, const ForwardPass& pass) {
  const Reference online(model.parameters), averaged(model.averaged);
  return OverPairs(pass, [&](const Encoding& encoding, const Encoding& target) {
    const Rows queries = Unit(online.Head(online.Head(MeanPooled(encoding), "projector", true), "predictor", true));
    const Rows keys = Unit(averaged.Head(MeanPooled(target), "projector", true));
    double loss = 0;
    for (size_t n = 0; n < queries.size(); ++n) {
      Row cosines;
      for (const Row& key : keys) cosines.push_back(Dot(queries[n], key));
      loss -= std::log(Softmax(cosines, 0.2)[n]) / static_cast<double>(queries.size());
    }
    return loss;
  });
}

double ByolByLoops(const SmallModel& model, const ForwardPass& pass) {
  const Reference online(model.parameters), averaged(model.averaged);
  return OverPairs(pass, [&](const Encoding& encoding, const Encoding& target) {
    const Rows predicted = Unit(online.Head(online.Head(MeanPooled(encoding), "projector", true), "predictor", false));
    const Rows wanted = Unit(averaged.Head(MeanPooled(target), "projector", true));
    double loss = 0;
    for (size_t n = 0; n < predicted.size(); ++n) {
      loss += (2 - 2 * Dot(predicted[n], wanted[n])) / static_cast<double>(predicted.size());
    }
    return loss;
  });
}

TEST(AverageTargetTest, InfoNceIsOfPredictionsWithTheAveragedKeysOfEveryOtherView) {
  const SmallModel model(Moco());
  const ForwardPass pass = ThreeViews(model);
  ASSERT_EQ(pass.targets.size(), 3u);
  EXPECT_NEAR(model.Term(pass, kName), MocoByLoops(model, pass), 1e-10);
}

TEST(AverageTargetTest, CosineIsOfPredictionsWithTheAveragedProjectionsOfEveryOtherView) {
  const SmallModel model(Byol());
  const ForwardPass pass = ThreeViews(model);
  EXPECT_NEAR(model.Term(pass, kName), ByolByLoops(model, pass), 1e-10);
}

TEST(AverageTargetTest, TargetsAreOfWholeViews) {
  const SmallModel model(Moco());
  const ForwardPass pass = ThreeViews(model);
  EXPECT_EQ(pass.encodings[0].visible_BKD.size(1), testing::kVisible);
  EXPECT_EQ(pass.targets.at(0).visible_BKD.size(1), testing::kPatches);
}

TEST(AverageTargetTest, GradientsAgainstFiniteDifferencesAndNoneForTheAverages) {
  for (const JobSpec& spec : {Moco(), Byol()}) {
    const SmallModel model(spec);
    ExpectGradientsAreSlopes(model.parameters, [&] { return (*model.sum)->Compute(ThreeViews(model)).total; });
    for (const auto& [name, tensor] : model.averaged.all()) EXPECT_FALSE(tensor.grad().defined()) << name;
  }
}

TEST(AverageTargetTest, StatisticsAreThoseOfACompleteComparison) {
  const SmallModel model(Moco());
  const auto stats = (*model.sum)->Compute(ThreeViews(model)).stats;
  for (const char* stat : {"embedding_std", "alignment", "uniformity", "retrieval"}) {
    EXPECT_EQ(stats.count(std::string("views/") + stat), 1u) << stat;
  }
}

// SimCLR's form with a predictor on one side: anchors differ from candidates.
TEST(AverageTargetTest, APredictorAlsoGoesWithNegativesOfTheSameNetwork) {
  JobSpec spec, without;
  AddInfoNce(kName, 1, &spec)->mutable_predictor()->set_hidden_width(7);
  AddInfoNce(kName, 1, &without);
  const SmallModel model(spec), plain(without);
  const ForwardPass pass = model.Forward({Images(kBatch, 0), Images(kBatch, 1)});
  EXPECT_NE(model.Term(pass, kName), plain.Term(pass, kName));
  ExpectGradientsAreSlopes(model.parameters, [&] {
    return (*model.sum)->Compute(model.Forward({Images(kBatch, 0), Images(kBatch, 1)})).total;
  });
}

// ---- DINO.

JobSpec Dino() {
  JobSpec spec;
  AddSelfDistillation(kName, 1, &spec);
  return spec;
}

// Two full views and two of half the size, nothing hidden.
ForwardPass MultiCrop(const SmallModel& model, double progress) {
  ForwardPass pass;
  for (int view = 0; view < 4; ++view) {
    ViewInput input;
    const at::Tensor images_BCHW = Images(kBatch, view);
    input.images_BCHW = view < 2 ? images_BCHW : images_BCHW.slice(2, 0, 8).slice(3, 4, 12).contiguous();
    input.plan = AllVisible(kBatch, view < 2 ? testing::kPatches : testing::kPatches / 4, at::kCPU);
    input.view = view;
    pass.views.push_back(input);
  }
  EncodeViews(*model.encoder, model.average.get(), **model.sum, &pass);
  pass.progress = progress;
  return pass;
}

void SetCenter(const SmallModel& model) {
  const at::NoGradGuard no_grad;
  const at::Tensor center = model.averaged.Find(std::string(kPrefix) + "center");
  for (int64_t p = 0; p < center.size(0); ++p) center[p].fill_(0.03 * static_cast<double>(p) - 0.1);
}

double DinoByLoops(const SmallModel& model, const ForwardPass& pass, double teacher_temperature) {
  const Reference student(model.parameters), teacher(model.averaged);
  const Row center = RowOf(model.averaged.Find(std::string(kPrefix) + "center"));
  return OverPairs(pass, [&](const Encoding& encoding, const Encoding& target) {
    const Rows scores = student.Scores(RowsOf(encoding.class_BD.detach()));
    Rows wanted = teacher.Scores(RowsOf(target.class_BD.detach()));
    double loss = 0;
    for (size_t n = 0; n < scores.size(); ++n) {
      for (size_t p = 0; p < center.size(); ++p) wanted[n][p] -= center[p];
      const Row q = Softmax(wanted[n], teacher_temperature), s = Softmax(scores[n], 0.1);
      for (size_t p = 0; p < q.size(); ++p) loss -= q[p] * std::log(s[p]) / static_cast<double>(scores.size());
    }
    return loss;
  });
}

TEST(SelfDistillationTest, IsTheCrossEntropyWithCentredSharpenedTargetsOfEveryOtherFullView) {
  const SmallModel model(Dino());
  SetCenter(model);
  for (const auto& [progress, temperature] :
       std::vector<std::pair<double, double>>{{0, 0.04}, {0.25, 0.055}, {0.5, 0.07}, {1, 0.07}}) {
    const ForwardPass pass = MultiCrop(model, progress);
    ASSERT_EQ(pass.targets.size(), 2u) << "small views are no targets";
    EXPECT_NEAR(model.Term(pass, kName), DinoByLoops(model, pass, temperature), 1e-10) << progress;
  }
}

TEST(SelfDistillationTest, GradientsAgainstFiniteDifferencesAndNoneForTheAverages) {
  const SmallModel model(Dino());
  SetCenter(model);
  ExpectGradientsAreSlopes(model.parameters, [&] { return (*model.sum)->Compute(MultiCrop(model, 0.3)).total; });
  for (const auto& [name, tensor] : model.averaged.all()) EXPECT_FALSE(tensor.grad().defined()) << name;
}

TEST(SelfDistillationTest, TheBatchsShareOfTheCenterIsTheMeanOfAllTargetsScores) {
  const SmallModel model(Dino());
  SetCenter(model);
  const ForwardPass pass = MultiCrop(model, 0);
  const auto means = (*model.sum)->Compute(pass).means;
  ASSERT_EQ(means.size(), 1u);
  const BatchMean& mean = means.at("objective.views.center");
  EXPECT_EQ(mean.momentum, 0.9);
  Row expected(7, 0.0);
  for (const auto& [view, target] : pass.targets) {
    for (const Row& row : Reference(model.averaged).Scores(RowsOf(target.class_BD.detach()))) {
      for (size_t p = 0; p < row.size(); ++p) expected[p] += row[p] / (2 * kBatch);
    }
  }
  for (size_t p = 0; p < expected.size(); ++p) {
    EXPECT_NEAR(mean.value[static_cast<int64_t>(p)].item<double>(), expected[p], 1e-12);
  }
}

TEST(SelfDistillationTest, FrozenPrototypesHaveAGradientOfZeroAndTheRestHasItsOwn) {
  JobSpec spec;
  AddSelfDistillation(kName, 1, &spec)->set_frozen_prototypes(0.2);
  const SmallModel model(spec);
  SetCenter(model);
  (*model.sum)->Compute(MultiCrop(model, 0.1)).total.backward();
  const at::Tensor gradient = model.parameters.Find("objective.views.prototypes").grad();
  ASSERT_TRUE(gradient.defined());
  EXPECT_EQ(gradient.abs().max().item<double>(), 0);
  EXPECT_GT(model.parameters.Find("objective.views.head.fc1.weight").grad().abs().max().item<double>(), 0);
  (*model.sum)->Compute(MultiCrop(model, 0.2)).total.backward();
  EXPECT_GT(gradient.abs().max().item<double>(), 0);
}

// Weight decay may shrink them; nothing else sees it.
TEST(SelfDistillationTest, PrototypesCountByDirectionAlone) {
  const SmallModel model(Dino());
  const double before = model.Term(MultiCrop(model, 0), kName);
  {
    const at::NoGradGuard no_grad;
    model.parameters.Find("objective.views.prototypes").mul_(0.3);
  }
  EXPECT_NEAR(model.Term(MultiCrop(model, 0), kName), before, 1e-12);
}

TEST(SelfDistillationTest, StatisticsTellCollapseFromLearning) {
  const SmallModel model(Dino());
  const auto stats = [&] { return (*model.sum)->Compute(MultiCrop(model, 1)).stats; };
  const auto healthy = stats();
  EXPECT_NEAR(healthy.at("views/target_entropy").item<double>() + healthy.at("views/target_divergence").item<double>(),
              model.Term(MultiCrop(model, 1), kName), 1e-12);
  EXPECT_GT(healthy.at("views/embedding_std").item<double>(), 0);
  // A center far from one prototype's scores gives that one to every image.
  {
    const at::NoGradGuard no_grad;
    model.averaged.Find("objective.views.center")[3].fill_(-50);
  }
  const auto collapsed = stats();
  EXPECT_NEAR(collapsed.at("views/prototypes").item<double>(), 1, 1e-6);
  EXPECT_NEAR(collapsed.at("views/target_entropy").item<double>(), 0, 1e-6);
}

TEST(TeacherTemperatureTest, IsLinearUntilTheWarmUpEnds) {
  JobSpec spec;
  SelfDistillationSpec dino = *AddSelfDistillation(kName, 1, &spec);
  EXPECT_DOUBLE_EQ(TeacherTemperatureAt(dino, 0), 0.04);
  EXPECT_DOUBLE_EQ(TeacherTemperatureAt(dino, 0.1), 0.046);
  EXPECT_DOUBLE_EQ(TeacherTemperatureAt(dino, 0.5), 0.07);
  EXPECT_DOUBLE_EQ(TeacherTemperatureAt(dino, 0.9), 0.07);
  // np.linspace(0.04, 0.07, 4), one value for each of four epochs of 25 steps; then the last one stays.
  dino.set_warmup_stages(4);
  const double warmup = dino.warmup();
  for (const auto& [step, temperature] :
       {std::make_pair(0, 0.04), std::make_pair(24, 0.04), std::make_pair(25, 0.05), std::make_pair(50, 0.06),
        std::make_pair(75, 0.07), std::make_pair(99, 0.07), std::make_pair(100, 0.07)}) {
    EXPECT_NEAR(TeacherTemperatureAt(dino, warmup * step / 100), temperature, 1e-12) << step;
  }
  // No stage begins a step late where its share of the training is a rounded quotient.
  for (int stage = 0; stage < 30; ++stage) {
    dino.set_warmup(30.0 / 300), dino.set_warmup_stages(30);
    const double step = 7 * stage, total = 7 * 300;
    EXPECT_NEAR(TeacherTemperatureAt(dino, step / total), 0.04 + 0.03 * stage / 29, 1e-12) << stage;
  }
}

}  // namespace
}  // namespace mimeo
