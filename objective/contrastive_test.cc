// The contrastive objective on one rank; over a gang: worker/training/contrast_test.cc.
#include "objective/contrastive.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "objective/testing/small_model.h"

namespace mimeo {
namespace {

using testing::AddCosine;
using testing::AddInfoNce;
using testing::ExpectGradientsAreSlopes;
using testing::Images;
using testing::SmallModel;

constexpr char kName[] = "views";
constexpr int kBatch = 4;

JobSpec InfoNceSpecWith(const std::function<void(ContrastiveSpec*)>& change = [](ContrastiveSpec*) {}) {
  JobSpec spec;
  change(AddInfoNce(kName, 1, &spec));
  return spec;
}

JobSpec CosineOnly() {
  JobSpec spec;
  AddCosine(kName, 1, &spec);
  return spec;
}

ForwardPass TwoViews(const SmallModel& model) { return model.Forward({Images(kBatch, 0), Images(kBatch, 1)}); }

bool Has(const Parameters& parameters, const std::string& name) {
  for (const auto& [known, tensor] : parameters.all()) {
    if (known == "objective.views." + name) return true;
  }
  return false;
}

// Feature by feature, number by number.
at::Tensor BatchNormByLoops(const at::Tensor& x_NX, const at::Tensor& weight, const at::Tensor& bias) {
  at::Tensor result = x_NX.detach().clone();
  const int64_t num_rows = x_NX.size(0);
  for (int64_t f = 0; f < x_NX.size(1); ++f) {
    double mean = 0, variance = 0;
    for (int64_t n = 0; n < num_rows; ++n) mean += x_NX[n][f].item<double>() / static_cast<double>(num_rows);
    for (int64_t n = 0; n < num_rows; ++n) {
      variance += std::pow(x_NX[n][f].item<double>() - mean, 2) / static_cast<double>(num_rows);
    }
    for (int64_t n = 0; n < num_rows; ++n) {
      const double y = (x_NX[n][f].item<double>() - mean) / std::sqrt(variance + 1e-5);
      result[n][f] = weight.defined() ? y * weight[f].item<double>() + bias[f].item<double>() : y;
    }
  }
  return result;
}

at::Tensor Parameter(const SmallModel& model, const std::string& name) {
  return model.parameters.Find("objective.views." + name).detach();
}

// The projector of `AddContrastive`: one hidden layer.
at::Tensor ProjectByLoops(const SmallModel& model, const at::Tensor& pooled_ND) {
  const at::Tensor hidden =
      BatchNormByLoops(at::matmul(pooled_ND, Parameter(model, "projector.fc1.weight").t()),
                       Parameter(model, "projector.norm1.weight"), Parameter(model, "projector.norm1.bias"));
  return BatchNormByLoops(at::matmul(hidden.clamp_min(0), Parameter(model, "projector.fc2.weight").t()), {}, {});
}

at::Tensor MeanPooled(const ForwardPass& pass) {
  return at::cat({pass.encodings[0].visible_BKD.mean(1), pass.encodings[1].visible_BKD.mean(1)}).detach();
}

// NT-Xent of 2B rows, row i's other view B further on.
double InfoNceByLoops(const at::Tensor& rows, double temperature) {
  const at::Tensor z = rows / rows.square().sum(1, true).sqrt();
  const int64_t num_rows = z.size(0);
  double sum = 0;
  for (int64_t i = 0; i < num_rows; ++i) {
    double all = 0;
    const auto score = [&](int64_t k) { return std::exp((z[i] * z[k]).sum().item<double>() / temperature); };
    for (int64_t k = 0; k < num_rows; ++k) all += k == i ? 0 : score(k);
    sum -= std::log(score((i + num_rows / 2) % num_rows) / all) / static_cast<double>(num_rows);
  }
  return sum;
}

TEST(ContrastiveTest, InfoNceOfTheProjectedMeansAgainstLoops) {
  const SmallModel model(InfoNceSpecWith());
  {
    const at::NoGradGuard no_grad;
    model.parameters.Find("objective.views.projector.norm1.weight")[1].fill_(2);
    model.parameters.Find("objective.views.projector.norm1.bias")[2].fill_(0.4);
  }
  const ForwardPass pass = TwoViews(model);
  EXPECT_NEAR(model.Term(pass, kName), InfoNceByLoops(ProjectByLoops(model, MeanPooled(pass)), 0.2), 1e-10);
}

TEST(ContrastiveTest, PoolsTheClassTokenWhereTold) {
  const SmallModel model(InfoNceSpecWith([](ContrastiveSpec* spec) { spec->set_pooling(POOLING_CLASS); }));
  const ForwardPass pass = TwoViews(model);
  const at::Tensor pooled = at::cat({pass.encodings[0].class_BD, pass.encodings[1].class_BD}).detach();
  EXPECT_NEAR(model.Term(pass, kName), InfoNceByLoops(ProjectByLoops(model, pooled), 0.2), 1e-10);
}

TEST(ContrastiveTest, WithoutBatchNormTheLayersHaveBiases) {
  const SmallModel model(
      InfoNceSpecWith([](ContrastiveSpec* spec) { spec->mutable_projector()->set_batch_norm(false); }));
  EXPECT_FALSE(Has(model.parameters, "projector.norm1.weight"));
  EXPECT_TRUE(Has(model.parameters, "projector.fc2.bias"));
  const ForwardPass pass = TwoViews(model);
  const at::Tensor hidden = at::matmul(MeanPooled(pass), Parameter(model, "projector.fc1.weight").t()).clamp_min(0);
  EXPECT_NEAR(model.Term(pass, kName),
              InfoNceByLoops(at::matmul(hidden, Parameter(model, "projector.fc2.weight").t()), 0.2), 1e-10);
}

TEST(ContrastiveTest, ABatchNormsLayerHasNoBiasAndTheLastBatchNormNoAffine) {
  const SmallModel model(InfoNceSpecWith());
  for (const char* name :
       {"projector.fc1.weight", "projector.norm1.weight", "projector.norm1.bias", "projector.fc2.weight"}) {
    EXPECT_TRUE(Has(model.parameters, name)) << name;
  }
  for (const char* name :
       {"projector.fc1.bias", "projector.fc2.bias", "projector.norm2.weight", "predictor.fc1.weight"}) {
    EXPECT_FALSE(Has(model.parameters, name)) << name;
  }
}

TEST(ContrastiveTest, InBfloat16TheHeadsOutputIsFloat32) {
  Parameters stored(3), rounded(3, Products::kBFloat16);
  HeadShape shape;
  shape.widths = {8, 10, 6}, shape.batch_norm = true, shape.end = HeadEnd::kBatchNorm;
  const ProjectionHead expected("", shape, &stored);
  const ProjectionHead head("", shape, &rounded);
  const at::Tensor x = Images(1, 0).flatten().slice(0, 0, 64).view({8, 8}).to(at::kFloat);
  const at::Tensor z = head.Forward(x, RowGatherer());
  EXPECT_EQ(z.scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal(z, expected.Forward(x, RowGatherer())));
  EXPECT_LT((z - expected.Forward(x, RowGatherer())).abs().max().item<double>(), 0.1);
}

TEST(ContrastiveTest, TwoMasksOfOneViewWillDo) {
  const SmallModel model(InfoNceSpecWith());
  const ForwardPass pass = model.Forward({Images(kBatch, 0)}, /*masks=*/2);
  EXPECT_NEAR(model.Term(pass, kName), InfoNceByLoops(ProjectByLoops(model, MeanPooled(pass)), 0.2), 1e-10);
}

// The cosine loss of projections `z` against the other halves of `targets`.
double CosineByLoops(const SmallModel& model, const at::Tensor& z, const at::Tensor& targets) {
  const at::Tensor hidden =
      BatchNormByLoops(at::matmul(z, Parameter(model, "predictor.fc1.weight").t()),
                       Parameter(model, "predictor.norm1.weight"), Parameter(model, "predictor.norm1.bias"));
  const at::Tensor q = at::matmul(hidden.clamp_min(0), Parameter(model, "predictor.fc2.weight").t()) +
                       Parameter(model, "predictor.fc2.bias");
  double sum = 0;
  for (int64_t i = 0; i < 2 * kBatch; ++i) {
    const at::Tensor other = targets[(i + kBatch) % (2 * kBatch)];
    const double cosine = ((q[i] * other).sum() / (q[i].norm() * other.norm())).item<double>();
    sum += (2 - 2 * cosine) / (2 * kBatch);
  }
  return sum;
}

TEST(ContrastiveTest, CosineIsOfEachPredictionWithTheOtherProjection) {
  const SmallModel model(CosineOnly());
  const ForwardPass pass = TwoViews(model);
  const at::Tensor z = ProjectByLoops(model, MeanPooled(pass));
  EXPECT_NEAR(model.Term(pass, kName), CosineByLoops(model, z, z), 1e-10);
}

// Slopes with the targets held where they are, which is what stopping their gradient means.
TEST(ContrastiveTest, CosinesGradientStopsAtTheTarget) {
  const SmallModel model(CosineOnly());
  const auto project = [&] { return ProjectByLoops(model, MeanPooled(TwoViews(model))); };
  const at::Tensor targets = project();
  (*model.sum)->Compute(TwoViews(model)).total.backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const char* name :
       {"encoder.norm.weight", "objective.views.projector.fc1.weight", "objective.views.predictor.fc2.bias"}) {
    const at::Tensor parameter = model.parameters.Find(name), gradient = parameter.grad().view(-1);
    const int64_t place = gradient.abs().argmax().item<int64_t>();
    at::Tensor value = parameter.view(-1)[place];
    value += kStep;
    const double up = CosineByLoops(model, project(), targets);
    value -= 2 * kStep;
    const double down = CosineByLoops(model, project(), targets);
    value += kStep;
    EXPECT_GT(std::abs(gradient[place].item<double>()), 1e-3) << name;
    EXPECT_NEAR(gradient[place].item<double>(), (up - down) / (2 * kStep), 1e-8) << name;
  }
}

TEST(ContrastiveTest, InfoNcesGradientsAgainstFiniteDifferences) {
  for (const bool batch_norm : {true, false}) {
    const SmallModel model(
        InfoNceSpecWith([&](ContrastiveSpec* spec) { spec->mutable_projector()->set_batch_norm(batch_norm); }));
    ExpectGradientsAreSlopes(model.parameters, [&] { return (*model.sum)->Compute(TwoViews(model)).total; });
  }
}

TEST(ContrastiveTest, StatisticsAreOfTheProjectionsScaledToLengthOne) {
  for (const JobSpec& spec : {InfoNceSpecWith(), CosineOnly()}) {
    const SmallModel model(spec);
    const ForwardPass pass = TwoViews(model);
    const at::Tensor rows = ProjectByLoops(model, MeanPooled(pass));
    const at::Tensor z = rows / rows.square().sum(1, true).sqrt();
    const auto stats = (*model.sum)->Compute(pass).stats;
    EXPECT_NEAR(stats.at("views/embedding_std").item<double>(), z.std(0, /*unbiased=*/false).mean().item<double>(),
                1e-9);
    EXPECT_NEAR(stats.at("views/alignment").item<double>(),
                (z - z.roll(kBatch, 0)).square().sum(1).mean().item<double>(), 1e-9);
    EXPECT_LT(stats.at("views/uniformity").item<double>(), 0);
    EXPECT_GE(stats.at("views/retrieval").item<double>(), 0);
  }
}

// A gatherer that a lone pass must not call.
TEST(ContrastiveTest, ALonePassAsksNobody) {
  const SmallModel model(InfoNceSpecWith());
  RowGatherer rows;
  rows.rank = 1, rows.size = 2;
  int calls = 0;
  rows.gather = [&](const at::Tensor& own) { return ++calls, at::cat({own, own}); };
  Parameters parameters(3);
  const Contrastive contrastive(model.spec.objective(0).contrastive(), *model.encoder, rows, "objective.views.",
                                &parameters, /*averaged=*/nullptr);
  parameters.To(at::kCPU, at::kDouble);
  ForwardPass pass = TwoViews(model);
  pass.alone = true;
  EXPECT_EQ(contrastive.Compute(pass).value.item<double>(), model.Term(pass, kName));
  EXPECT_EQ(calls, 0);
  pass.alone = false;
  EXPECT_NE(contrastive.Compute(pass).value.item<double>(), model.Term(pass, kName));
  EXPECT_EQ(calls, 3);  // two batch norms and the rows
}

TEST(ContrastiveDeathTest, OneEncodingIsABug) {
  const SmallModel model(InfoNceSpecWith());
  const ForwardPass pass = model.Forward({Images(kBatch, 0)});
  EXPECT_DEATH((*model.sum)->Compute(pass), "compares two encodings");
}

}  // namespace
}  // namespace mimeo
