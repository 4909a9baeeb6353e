#include "worker/training/evaluation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/testing/status_matchers.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "evaluation/testing/counted_dataset.h"
#include "worker/training/testing/local_gang.h"
#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

using testing::CountedDataset;
using ::testing::HasSubstr;
using testing::RunAsGang;
using testing::StatusIs;
using testing::TinyModel;
using testing::TinySpec;
using Values = std::map<std::string, double>;

// Gives ones, or never answers. Counts the images that it was asked for.
class StillTeacher : public FeatureSource {
 public:
  explicit StillTeacher(bool away) : away_(away) {
    request_.teacher = "still";
    request_.tokens = MIMIC_TOKENS_ALL;
    request_.objectives = {"mimic"};
  }
  absl::Status Attach(const Batch&, absl::Time, std::vector<ViewInput>* views) override {
    ++asked;
    if (away_) return absl::DeadlineExceededError("away");
    for (ViewInput& view : *views) view.teacher_BNT["mimic"] = at::full({view.images_BCHW.size(0), 16, 4}, 1.0);
    return absl::OkStatus();
  }
  const TeacherRequest& request() const override { return request_; }
  int width() const override { return 4; }

  std::atomic<int> asked{0};

 private:
  const bool away_;
  TeacherRequest request_;
};

class EvaluationTest : public ::testing::Test {
 protected:
  EvaluationTest() : spec_(TinySpec()) {
    for (int i = 0; i < 7; ++i) Write(absl::StrCat("held_out/", i % 2 ? "up" : "down", "/", i, ".png"), i);
    for (int i = 0; i < 10; ++i) Write(absl::StrCat("bank/", i % 2 ? "up" : "down", "/", i, ".png"), i);
    EvaluationSpec* evaluation = spec_.mutable_evaluation();
    evaluation->set_path(Path("held_out"));
    evaluation->set_bank_path(Path("bank"));
    evaluation->set_knn_k(3);
  }

  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }

  void Write(const std::string& name, int i) {
    Pixels pixels{32, 32, std::vector<uint8_t>(32 * 32 * 3)};
    for (int j = 0; j < 32 * 32 * 3; ++j) pixels.rgb[j] = static_cast<uint8_t>((i % 2 ? j / 16 : 255 - j / 16) + i);
    WriteBytes(name, EncodePng(pixels));
  }
  void WriteBytes(const std::string& name, const std::string& bytes) {
    const std::string path = Path(name);
    ASSERT_OK(MakeDirs(path.substr(0, path.rfind('/'))));
    ASSERT_OK(WriteFileAtomic(path, bytes));
  }

  // Of every rank of a gang, all of which have to agree.
  Values Measure(int ranks) {
    Values values;
    absl::Mutex mu;
    RunAsGang(ranks, [&](Gang* gang) {
      const TinyModel model(spec_);
      ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, {}));
      ASSERT_OK_AND_ASSIGN(const EvaluationResult result,
                           evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {}, gang));
      const Values own(result.values().begin(), result.values().end());
      absl::MutexLock lock(&mu);
      if (values.empty()) values = own;
      EXPECT_EQ(own, values);
    });
    return values;
  }

  TempDir dir_;
  JobSpec spec_;
};

TEST_F(EvaluationTest, AnyNumberOfRanksMeasuresTheSame) {
  const Values one = Measure(1);
  EXPECT_EQ(one.at("images"), 7);
  EXPECT_EQ(one.at("bank_images"), 10);
  EXPECT_EQ(one.at("knn_k"), 3);
  EXPECT_EQ(one.at("knn_raw_pixels"), 1);
  EXPECT_EQ(one.at("knn_accuracy"), one.at("knn_accuracy_patch_mean"));
  EXPECT_GT(one.at("held_out_loss/pixels"), 0);
  for (const int ranks : {2, 4}) {
    const Values many = Measure(ranks);
    ASSERT_EQ(many.size(), one.size());
    for (const auto& [name, value] : one) EXPECT_NEAR(many.at(name), value, 1e-4) << name << " of " << ranks;
  }
}

// Shares of nothing, in the bank too.
TEST_F(EvaluationTest, FewerImagesThanRanks) {
  for (const int64_t images : {1, 2}) {
    spec_.mutable_evaluation()->set_max_images(images);
    const Values one = Measure(1), four = Measure(4);
    EXPECT_EQ(four.at("images"), images);
    EXPECT_EQ(four.at("bank_images"), images);
    EXPECT_EQ(four.at("knn_k"), images);
    for (const auto& [name, value] : one) EXPECT_NEAR(four.at(name), value, 1e-4) << name;
  }
}

// One bad image makes a whole share bad, which is that rank's own business.
TEST_F(EvaluationTest, AShareWithoutAnyGoodImageIsEmpty) {
  spec_.mutable_evaluation()->set_path(Path("two"));
  Write("two/up/1.png", 1);
  WriteBytes("two/up/2.png", "text");
  EXPECT_EQ(Measure(2).at("images"), 1);
}

// What any rank met, every rank knows; and what is left out before anything is decoded is said by field.
TEST_F(EvaluationTest, SaysWhatItsSetsLeaveOut) {
  WriteBytes("held_out/up/5_bad.png", "text");
  WriteBytes("held_out/down/0_bad.png", "text");
  WriteBytes("held_out/.hidden.png", "text");
  WriteBytes("held_out/none.png", "text");
  Write("held_out/fox/1.png", 1);
  RunAsGang(3, [&](Gang* gang) {
    const TinyModel model(spec_);
    ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, {}));
    const std::vector<DataContents> contents = evaluation->Contents();
    ASSERT_EQ(contents.size(), 2u);
    EXPECT_EQ(contents[0].field(), "evaluation.path");
    ASSERT_EQ(contents[0].passed_over_size(), 1);
    EXPECT_EQ(contents[0].passed_over(0).reason(), "hidden files");
    ASSERT_EQ(contents[0].notes_size(), 2);
    EXPECT_THAT(contents[0].notes(0), HasSubstr("left out for want of a label: none.png"));
    EXPECT_THAT(contents[0].notes(1),
                HasSubstr("1 images of 1 classes that evaluation.bank_path does not have: fox (1)"));
    EXPECT_TRUE(evaluation->Undecodable().empty());
    ASSERT_OK(evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {}, gang).status());
    const std::map<std::string, PassedOver> bad = evaluation->Undecodable();
    ASSERT_EQ(bad.size(), 1u);
    EXPECT_EQ(bad.at("evaluation.path").count(), 3);
    EXPECT_THAT(bad.at("evaluation.path").names(0), HasSubstr("down/0_bad.png: not a JPEG, PNG or WebP"));
  });
}

TEST_F(EvaluationTest, ImagesWithoutLabelAreInTheLossesOnly) {
  Write("held_out/none.png", 0);
  Write("bank/none.png", 0);
  const Values values = Measure(2);
  EXPECT_EQ(values.at("images"), 8);
  EXPECT_EQ(values.at("unlabelled"), 1);
  EXPECT_EQ(values.at("bank_images"), 10);
  EXPECT_EQ(values.at("knn_raw_pixels"), 1);
  EXPECT_NEAR(values.at("majority_rate"), 4.0 / 7, 1e-12);
}

TEST_F(EvaluationTest, WithoutAnyLabelThereIsNoKnn) {
  Write("flat/1.png", 0);
  spec_.mutable_evaluation()->set_bank_path(Path("flat"));
  const Values values = Measure(1);
  EXPECT_EQ(values.count("knn_accuracy"), 0u);
  EXPECT_EQ(values.at("images"), 7);
}

TEST_F(EvaluationTest, OpenRefusesWhatCannotBeMeasured) {
  WriteBytes("broken/up/1.png", "text");
  spec_.mutable_evaluation()->set_bank_path(Path("broken"));
  EXPECT_THAT(Evaluation::Open(spec_, at::kCPU, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "evaluation.bank_path: none of its 1 images can be decoded; the first: up/1.png: "));
  spec_.mutable_evaluation()->set_path(Path("nowhere"));
  const auto missing = Evaluation::Open(spec_, at::kCPU, {});
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("evaluation.path: "));
}

TEST_F(EvaluationTest, SetsWithoutACommonClassAreRefused) {
  Write("other/left/1.png", 1);
  Write("other/right/2.png", 2);
  spec_.mutable_evaluation()->set_bank_path(Path("other"));
  EXPECT_THAT(Evaluation::Open(spec_, at::kCPU, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "evaluation.path: none of its 2 classes (down, up) is among the 2 classes of "
                       "evaluation.bank_path (left, right)"));
}

TEST_F(EvaluationTest, APartThatIsHeldOutIsJudgedByTheRest) {
  spec_.mutable_evaluation()->clear_path();
  spec_.mutable_evaluation()->clear_bank_path();
  spec_.mutable_data()->set_path(Path("bank"));
  RunAsGang(1, [&](Gang* gang) {
    const TinyModel model(spec_);
    ASSERT_OK_AND_ASSIGN(auto held_out, Dataset::Open(Path("held_out")));
    ASSERT_OK_AND_ASSIGN(auto bank, Dataset::Open(Path("bank")));
    ASSERT_OK_AND_ASSIGN(const auto evaluation,
                         Evaluation::OpenHeldOut(spec_, at::kCPU, {}, std::move(held_out), std::move(bank)));
    ASSERT_OK_AND_ASSIGN(const EvaluationResult result,
                         evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {}, gang));
    EXPECT_EQ(result.values().at("images"), 7);
    EXPECT_EQ(result.values().at("bank_images"), 10);
    ASSERT_EQ(evaluation->Contents().size(), 2u);
    EXPECT_EQ(evaluation->Contents()[0].field(), "evaluation.hold_out");
    EXPECT_EQ(evaluation->Contents()[0].num_samples(), 7);
  });
}

// NaN has no neighbours: no number is better than one that looks like any other.
TEST_F(EvaluationTest, FeaturesThatAreNotFiniteHaveNoKnn) {
  const TinyModel model(spec_);
  {
    const at::NoGradGuard no_grad;
    at::Tensor(model.parameters.Find("encoder.norm.bias"))[0] = std::nan("");
  }
  RunAsGang(1, [&](Gang* gang) {
    ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, {}));
    ASSERT_OK_AND_ASSIGN(const EvaluationResult result,
                         evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {}, gang));
    EXPECT_EQ(result.values().count("knn_accuracy"), 0u);
    EXPECT_EQ(result.values().at("knn_raw_pixels"), 1);
    EXPECT_TRUE(std::isnan(result.values().at("held_out_loss/pixels")));
  });
}

// One rank is told to stop; the others hear of it where they meet.
TEST_F(EvaluationTest, AStopOfAnyRankEndsAllOfThem) {
  for (const int ranks : {1, 3}) {
    RunAsGang(ranks, [&](Gang* gang) {
      const TinyModel model(spec_);
      StillTeacher teacher(/*away=*/gang->rank() == 0);
      EvaluationWatch watch;
      // Rank 0 waits for its teacher, in vain, until it is told.
      watch.stop_wanted = [&] { return gang->rank() == 0 && teacher.asked > 3; };
      ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, watch));
      EXPECT_THAT(evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {&teacher}, gang),
                  StatusIs(absl::StatusCode::kCancelled));
    });
  }
}

TEST_F(EvaluationTest, MeasuresItsTeacherAndMoves) {
  Progress progress;
  RunAsGang(1, [&](Gang* gang) {
    const TinyModel model(spec_);
    StillTeacher teacher(/*away=*/false);
    ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, {[] { return false; }, &progress}));
    const int64_t opened = progress.count();
    EXPECT_GT(opened, 0);
    ASSERT_OK_AND_ASSIGN(const EvaluationResult result,
                         evaluation->Run(1, {model.encoder.get(), model.objectives.get()}, {&teacher}, gang));
    EXPECT_EQ(result.values().count("knn_teacher/mimic"), 1u);
    EXPECT_GE(progress.count(), opened + 7) << "two sets by teacher, by pixels and by the encoder, and the losses";
    EXPECT_EQ(progress.doing(), "evaluation: evaluation.path, 7 of this rank's 7 images");
  });
}

// Encoder, teacher, raw pixels and losses look at one decoding of an image; so does every later evaluation. A rank
// decodes its own share only.
TEST_F(EvaluationTest, AnImageIsReadOnceInAnEvaluation) {
  WriteBytes("held_out/up/broken.png", "text");
  for (const int ranks : {1, 2}) {
    absl::Mutex mu;
    std::map<std::string, int> reads;  // of all ranks, by field and sample
    RunAsGang(ranks, [&](Gang* gang) {
      const TinyModel model(spec_);
      StillTeacher teacher(/*away=*/false);
      std::map<std::string, const CountedDataset*> sets;
      const auto open = [&](const std::string& field,
                            const std::string& path) -> absl::StatusOr<std::unique_ptr<Dataset>> {
        ASSIGN_OR_RETURN(auto dataset, Dataset::Open(path));
        auto counted = std::make_unique<CountedDataset>(std::move(dataset));
        sets[field] = counted.get();
        return std::unique_ptr<Dataset>(std::move(counted));
      };
      ASSERT_OK_AND_ASSIGN(const auto evaluation, Evaluation::Open(spec_, at::kCPU, {}, open));
      const auto add_reads = [&](int sign) {
        absl::MutexLock lock(&mu);
        for (const auto& [field, dataset] : sets) {
          for (const auto& [sample, times] : dataset->reads()) reads[absl::StrCat(field, " ", sample)] += sign * times;
        }
      };
      add_reads(-1);  // those of Open, which tries one image of each set
      for (int step = 1; step <= 2; ++step) {
        ASSERT_OK(evaluation->Run(step, {model.encoder.get(), model.objectives.get()}, {&teacher}, gang));
      }
      add_reads(1);
    });
    EXPECT_EQ(reads.size(), 8u + 10u);
    for (const auto& [image, times] : reads) EXPECT_EQ(times, 2) << image << ", two evaluations by " << ranks;
  }
}

}  // namespace
}  // namespace mimeo
