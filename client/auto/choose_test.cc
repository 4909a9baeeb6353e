#include "client/auto/choose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/auto/recipe_text.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Survey Photos(int64_t images, int px = 160, int classes = 10) {
  Survey survey;
  survey.path = "/photos";
  survey.kind = classes > 0 ? "class folders" : "folder";
  survey.images = images;
  survey.labelled = classes > 0 ? images : 0;
  for (int i = 0; i < classes; ++i) survey.classes.push_back({absl::StrCat("class", i), images / classes});
  survey.looked_at = std::min<int64_t>(images, 200);
  survey.width = survey.height = {px, px, px};
  return survey;
}

Machine Laptop(int cores = 2) {
  Machine machine;
  machine.cores = cores;
  machine.memory_bytes = int64_t{16} << 30;
  return machine;
}

Machine Gpus(int count) {
  Machine machine = Laptop(16 * count);
  machine.memory_bytes *= count;
  machine.gpus = count;
  machine.gpu_memory_bytes = int64_t{80} << 30;
  machine.gpu_bfloat16 = true;
  return machine;
}

WeightsDescription Weights(const std::string& encoder, int px, int64_t parameters) {
  WeightsDescription weights;
  weights.path = "/weights";
  weights.family = "hf-vit";
  weights.parameters = parameters;
  weights.height_px = weights.width_px = px;
  weights.pixel_mean = {0.5, 0.4, 0.3};
  weights.pixel_std = {0.2, 0.2, 0.1};
  weights.encoder = ParseRecipe(encoder, "weights")->encoder();
  return weights;
}

WeightsDescription SmallWeights() {
  return Weights("encoder { vit { patch_px: 8 width: 192 depth: 6 heads: 3 positions: POSITIONS_LEARNED } }", 48,
                 2'700'000);
}

// The choice, whose job can be trained and whose recipe says the same job.
Choice Chosen(const Survey& survey, const Machine& machine, const Wishes& wishes = {}, const Pace& pace = {}) {
  const auto choice = Choose(survey, machine, wishes, pace);
  EXPECT_TRUE(choice.ok()) << choice.status();
  if (!choice.ok()) return {};
  const auto resolved = ResolveJobSpec(choice->spec);
  EXPECT_TRUE(resolved.ok()) << resolved.status() << "\n" << JobSpecText(choice->spec);
  EXPECT_EQ(choice->reasons.size(), 5u);
  const std::string recipe = ChosenRecipeText(*choice, "mimeo run --data /photos");
  const auto again = ParseRecipe(recipe, "recipe");
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again.ok() ? JobSpecText(*again) : "", JobSpecText(choice->spec)) << recipe;
  for (const std::string& reason : choice->reasons) EXPECT_THAT(recipe, HasSubstr(absl::StrCat("\n# ", reason)));
  return *choice;
}

std::string Reasons(const Choice& choice) { return absl::StrJoin(choice.reasons, "\n"); }

std::string Refused(const Survey& survey, const Machine& machine, const Wishes& wishes = {}) {
  const auto choice = Choose(survey, machine, wishes, {});
  EXPECT_TRUE(absl::IsInvalidArgument(choice.status())) << choice.status();
  EXPECT_FALSE(absl::StrContains(choice.status().message(), "\n")) << "one sentence";
  return std::string(choice.status().message());
}

TEST(ChooseTest, ChoosesForPhotosAndMachines) {
  struct Case {
    const char* name;
    Survey survey;
    Machine machine;
    Method method;
    int image_px, width, ranks, threads;
  };
  Survey grey = Photos(3'000);
  grey.grey = 1;
  Machine two_gigabytes = Laptop();
  two_gigabytes.memory_bytes = int64_t{2} << 30;
  const Case cases[] = {
      {"3,000 photos", Photos(3'000), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"one class", Photos(3'000, 160, 1), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"no labels", Photos(3'000, 160, 0), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"100,000 photos", Photos(100'000), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"cifar", Photos(60'000, 32), Laptop(), Method::kSimClr, 32, 96, 2, 1},
      {"4,000 px", Photos(3'000, 4'000), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"grey", grey, Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"1 core", Photos(3'000), Laptop(1), Method::kSimClr, 48, 96, 1, 1},
      {"64 cores", Photos(3'000), Laptop(64), Method::kSimClr, 64, 192, 8, 8},
      {"2 GB", Photos(3'000), two_gigabytes, Method::kSimClr, 48, 96, 2, 1},
      {"60 photos", Photos(60), Laptop(), Method::kSimClr, 48, 96, 2, 1},
      {"a GPU, few photos", Photos(3'000), Gpus(1), Method::kSimClr, 96, 192, 1, 16},
      {"8 GPUs, few photos", Photos(3'000), Gpus(8), Method::kSimClr, 128, 384, 8, 16},
      {"8 GPUs, many photos", Photos(1'000'000, 500), Gpus(8), Method::kMae, 224, 384, 8, 16},
  };
  for (const Case& row : cases) {
    SCOPED_TRACE(row.name);
    const Choice choice = Chosen(row.survey, row.machine);
    EXPECT_EQ(choice.method, row.method);
    EXPECT_EQ(choice.spec.data().image_px(), row.image_px);
    EXPECT_EQ(choice.spec.encoder().vit().width(), row.width);
    EXPECT_EQ(choice.spec.resources().num_ranks(), row.ranks);
    EXPECT_EQ(choice.spec.resources().threads_per_rank(), row.machine.gpus > 0 ? 0 : row.threads);
    EXPECT_EQ(choice.spec.evaluation().hold_out(), 0.1);
  }
}

TEST(ChooseTest, TooFewPhotosAreRefusedInOneSentenceThatSaysHowMany) {
  EXPECT_THAT(Refused(Photos(12), Laptop()), AllOf(HasSubstr("12 photos"), HasSubstr("at least 50 are needed")));
  EXPECT_THAT(Refused(Photos(1), Laptop()), HasSubstr("1 photo;"));
  Chosen(Photos(50), Laptop());
}

TEST(ChooseTest, PhotosThatCannotBeDecodedAreRefusedOrExpected) {
  Survey survey = Photos(10'000);
  survey.undecodable = 150;
  EXPECT_THAT(Refused(survey, Laptop()), HasSubstr("150 of the 200 that were tried cannot be decoded"));
  survey.undecodable = 20;
  EXPECT_EQ(Chosen(survey, Laptop()).spec.data().max_bad_samples(), 2'000);
  EXPECT_FALSE(Chosen(Photos(10'000), Laptop()).spec.data().has_max_bad_samples());
}

TEST(ChooseTest, GreyPhotosHaveOneChannelAndNoChangesOfColour) {
  Survey grey = Photos(3'000);
  grey.grey = 1;
  const JobSpec spec = Chosen(grey, Laptop()).spec;
  EXPECT_EQ(spec.data().channels(), 1);
  EXPECT_EQ(spec.views(0).color().hue(), 0);
  EXPECT_GT(spec.views(0).color().brightness(), 0);
  EXPECT_FALSE(Chosen(Photos(3'000), Laptop()).spec.data().has_channels());
}

TEST(ChooseTest, SmallPhotosAreNotBlownUpAndHaveEnoughPatches) {
  for (const int px : {8, 20, 32, 33, 40, 64, 100, 500}) {
    const JobSpec spec = Chosen(Photos(3'000, px), Laptop(64)).spec;
    EXPECT_LE(spec.data().image_px(), std::max(px, 16)) << px;
    EXPECT_GE(spec.data().image_px() / spec.encoder().vit().patch_px(), 6) << px;
  }
}

TEST(ChooseTest, MoreTimeMakesMoreEpochsThenALargerEncoder) {
  Wishes wishes;
  double weights = 0, work = 0;
  for (const double minutes : {0.2, 1.0, 5.0, 10.0, 60.0, 600.0, 6000.0}) {
    wishes.minutes = minutes;
    const Choice choice = Chosen(Photos(3'000), Laptop(), wishes);
    EXPECT_GE(static_cast<double>(choice.size.parameters()), weights) << minutes;
    EXPECT_GT(choice.epochs * choice.image_flops, work) << minutes;
    weights = static_cast<double>(choice.size.parameters());
    work = choice.epochs * choice.image_flops;
  }
  EXPECT_GT(weights, 5e6);
}

TEST(ChooseTest, AMeasuredPaceThatIsSlowTakesTheSmallerEncoderAndSaysSo) {
  Wishes wishes;
  wishes.minutes = 60;
  const Choice assumed = Chosen(Photos(3'000), Laptop(), wishes);
  ASSERT_GT(assumed.size_number, 0);
  EXPECT_THAT(Reasons(assumed), HasSubstr("assumed, not measured"));
  Pace slow;
  slow.images_per_second = 10;
  slow.flops_per_second = slow.images_per_second * assumed.image_flops;
  const Choice measured = Chosen(Photos(3'000), Laptop(), wishes, slow);
  EXPECT_LT(measured.size_number, assumed.size_number);
  EXPECT_THAT(Reasons(measured), AllOf(HasSubstr("were measured"), HasSubstr("the next larger"),
                                       HasSubstr("which is too few for it"), Not(HasSubstr("assumed"))));
  Pace capped;
  capped.sizes = 1;
  EXPECT_EQ(Chosen(Photos(3'000), Laptop(), wishes, capped).size_number, 0);
}

TEST(ChooseTest, TheTrainingFillsTheTimeThatIsLeft) {
  Pace pace;
  pace.sizes = 1;
  pace.flops_per_second = 1e11;
  pace.spent_seconds = 30;
  const Choice choice = Chosen(Photos(3'000), Laptop(), {}, pace);
  const double seconds = choice.epochs * 2'700 * choice.image_flops / pace.flops_per_second;
  EXPECT_LT(seconds, 600 - 30 - 10);
  EXPECT_GT(seconds, 400);
}

TEST(ChooseTest, EpochsHaveTheDigitsThatAPersonWrites) {
  Wishes wishes;
  Pace pace;
  pace.sizes = 1;
  for (const double minutes : {0.05, 0.3, 0.31, 0.37, 0.5, 1.0, 7.0}) {
    for (const int64_t images : {60, 859, 3'000, 100'000}) {
      wishes.minutes = minutes;
      const Choice choice = Chosen(Photos(images), Laptop(), wishes, pace);
      const double epochs = choice.spec.schedule().epochs();
      double of_three_digits = 0;
      ASSERT_TRUE(absl::SimpleAtod(absl::StrFormat("%.3g", epochs), &of_three_digits));
      EXPECT_EQ(epochs, of_three_digits);
      EXPECT_THAT(ChosenRecipeText(choice, "mimeo init"), HasSubstr(absl::StrCat("epochs: ", epochs, "\n")));
    }
  }
}

TEST(ChooseTest, PhotosAreCountedAsTheyAreDivided) {
  Survey survey = Photos(1'061);
  Wishes wishes;
  wishes.hold_out = 0.19;
  EXPECT_THAT(Reasons(Chosen(survey, Laptop(), wishes)), HasSubstr("here 859 photos")) << "1,061 less 19 %";
  survey.held_out_images = 187;
  EXPECT_THAT(Reasons(Chosen(survey, Laptop(), wishes)), HasSubstr("here 874 photos"));
}

TEST(ChooseTest, LittleMemoryTakesFewerRanksThenIsRefusedWithNumbers) {
  Machine machine = Laptop(8);
  machine.memory_bytes = int64_t{2} << 30;
  const Choice choice = Chosen(Photos(3'000), machine);
  EXPECT_LT(choice.spec.resources().num_ranks(), 8);
  machine.memory_bytes = int64_t{256} << 20;
  EXPECT_THAT(Refused(Photos(3'000), machine), AllOf(HasSubstr("GB of memory"), HasSubstr("can be used")));
}

TEST(ChooseTest, ManyPhotosAreJudgedBySome) {
  EXPECT_EQ(Chosen(Photos(100'000), Laptop()).spec.evaluation().max_images(), 5'000);
  EXPECT_FALSE(Chosen(Photos(3'000), Laptop()).spec.evaluation().has_max_images());
}

TEST(ChooseTest, FromWeightsTakesTheirShapeAndTheirPixels) {
  Wishes wishes;
  wishes.start = SmallWeights();
  const Choice choice = Chosen(Photos(3'000), Laptop(), wishes);
  EXPECT_EQ(choice.spec.init_weights(), "/weights");
  EXPECT_EQ(choice.spec.encoder().vit().width(), 192);
  EXPECT_EQ(choice.spec.encoder().vit().positions(), POSITIONS_LEARNED);
  EXPECT_EQ(choice.spec.data().image_px(), 48);
  EXPECT_EQ(choice.spec.data().pixel_mean(2), 0.3);
  EXPECT_EQ(choice.spec.data().pixel_std(2), 0.1);
  EXPECT_LE(choice.size.peak_rate, 1e-4);
  EXPECT_THAT(Reasons(choice), HasSubstr("from the weights in /weights"));
}

TEST(ChooseTest, LargeWeightsLookAtSmallerImagesOrAreRefused) {
  Wishes wishes;
  wishes.start = Weights(
      "encoder { vit { patch_px: 14 width: 384 depth: 12 heads: 6 positions: POSITIONS_LEARNED layer_scale: 1 } }", 518,
      22'000'000);
  const Choice choice = Chosen(Photos(3'000), Laptop(), wishes);
  EXPECT_EQ(choice.spec.data().image_px() % 14, 0);
  EXPECT_LE(choice.spec.data().image_px(), 160);
  Machine small = Laptop();
  small.memory_bytes = int64_t{1} << 30;
  wishes.start = Weights("encoder { vit { patch_px: 14 width: 1280 depth: 32 heads: 16 } }", 224, 630'000'000);
  EXPECT_THAT(Refused(Photos(3'000), small, wishes), HasSubstr("GB of memory"));
}

TEST(ChooseTest, ATeacherIsMimickedAtVisiblePatches) {
  Wishes wishes;
  wishes.teacher = SmallWeights();
  const Choice choice = Chosen(Photos(3'000), Laptop(), wishes);
  EXPECT_EQ(choice.method, Method::kMimic);
  ASSERT_EQ(choice.spec.objective_size(), 1);
  EXPECT_EQ(choice.spec.objective(0).mimic().teacher(), "weights");
  EXPECT_EQ(choice.spec.mask().hidden_fraction(), 0.75);
  EXPECT_EQ(TeacherNames(*ResolveJobSpec(choice.spec)), std::vector<std::string>{"weights"});
  EXPECT_THAT(ChosenRecipeText(choice, "mimeo init"), HasSubstr("--teacher weights=WEIGHTS"));
}

TEST(TeacherNameTest, IsThatOfTheFileOrFolder) {
  EXPECT_EQ(TeacherName("/w/dinov2"), "dinov2");
  EXPECT_EQ(TeacherName("/w/dinov2/"), "dinov2");
  EXPECT_EQ(TeacherName("/w/vit_small.patch14.safetensors"), "vit_small.patch14");
  EXPECT_EQ(TeacherName("/w/caf\xe9 1"), "caf__1");
  EXPECT_EQ(TeacherName("/w/" + std::string(100, 'x')), std::string(64, 'x'));
  EXPECT_EQ(TeacherName("/"), "large_encoder");
}

TEST(ChooseTest, OtherPhotosJudgeInPlaceOfSomeOfThese) {
  Wishes wishes;
  wishes.hold_out = 0;
  wishes.evaluation_path = "/others";
  const JobSpec spec = Chosen(Photos(3'000), Laptop(), wishes).spec;
  EXPECT_EQ(spec.evaluation().path(), "/others");
  EXPECT_FALSE(spec.evaluation().has_hold_out());
}

TEST(ChooseTest, RanksThatAreAskedForAreTaken) {
  Wishes wishes;
  wishes.ranks = 3;
  const JobSpec spec = Chosen(Photos(3'000), Laptop(6), wishes).spec;
  EXPECT_EQ(spec.resources().num_ranks(), 3);
  EXPECT_EQ(spec.data().global_batch() % 3, 0);
}

TEST(HoldOutShareTest, FewPhotosHoldOutMoreSoThatTheVerdictSaysSomething) {
  EXPECT_EQ(HoldOutShare(3'000, -1), 0.1);
  EXPECT_EQ(HoldOutShare(1'000'000, -1), 0.1);
  EXPECT_EQ(HoldOutShare(1'000, -1), 0.2);
  EXPECT_EQ(HoldOutShare(60, -1), 0.25);
  EXPECT_EQ(HoldOutShare(60, 0.05), 0.05);
  EXPECT_EQ(HoldOutShare(60, 0), 0);
}

}  // namespace
}  // namespace mimeo
