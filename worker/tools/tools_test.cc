// The tools on small real files: a model that this test makes, photos, and what other programs read back.
#include "worker/tools/tools.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/testing/status_matchers.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/testing/tar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "job/job_spec.h"
#include "model/encoder.h"
#include "model/weights.h"
#include "objective/objective.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRecipe[] = R"(
  name: "tiny" seed: 5
  data { path: "photos" global_batch: 4 image_px: 16 }
  mask { hidden_fraction: 0.75 }
  encoder { vit { patch_px: 4 width: 12 depth: 1 heads: 3 mlp_ratio: 2 } }
  objective { name: "pixels" reconstruction { decoder_width: 12 decoder_depth: 1 decoder_heads: 3 normalize_patches: false } }
  objective { name: "mimic" mimic { teacher: "t" } }
  optimizer { adamw {} }
  schedule { steps: 10 })";

int Call(int (*verb)(int, char**), std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return verb(static_cast<int>(argv.size()), argv.data());
}

class ToolsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }

  void SetUp() override {
    spec_ = ResolveJobSpec(ParseRecipe(kRecipe, "tiny").value()).value();
    WriteCheckpoint();
    ASSERT_OK(MakeDirs(Path("photos")));
    const char* names[] = {"photo.jpg", "cmyk.jpg", "grey16.png", "lossy.webp"};
    for (const char* name : names) {
      ASSERT_OK(WriteFileAtomic(Path(absl::StrCat("photos/", name)), ReadFile(absl::StrCat("data/testdata/", name)).value()));
    }
    ASSERT_OK(WriteFileAtomic(Path("photos/text.jpg"), "text"));
  }

  void WriteCheckpoint() {
    const at::NoGradGuard no_grad;
    Parameters parameters(5);
    const auto encoder = MakeEncoder(spec_.encoder(), ImageShapeOf(spec_.data()), &parameters);
    ObjectiveSum::Context context;
    context.teacher_widths = {{"mimic", 8}};
    ASSERT_OK_AND_ASSIGN(const auto objectives, ObjectiveSum::Create(spec_, *encoder, context, &parameters));
    NamedTensors tensors;
    for (const auto& [name, tensor] : parameters.all()) tensors[name] = tensor;
    ASSERT_OK(WriteSafetensors(Path("checkpoint.safetensors"), tensors, {{"job", JobSpecText(spec_)}}));
  }

  TempDir dir_;
  JobSpec spec_;
};

TEST_F(ToolsTest, EmbedWritesFeaturesAndTheSortedFiles) {
  ASSERT_EQ(Call(RunEmbed, {"embed", "--weights", Path("checkpoint.safetensors"), "--images", Path("photos"), "--out",
                            Path("f.safetensors"), "--tokens", "--batch=2"}), 0);
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("f.safetensors")));
  const auto& tensors = file->view().tensors();
  EXPECT_THAT(tensors.at("class_token").shape, ElementsAre(4, 12));
  EXPECT_THAT(tensors.at("patch_mean").shape, ElementsAre(4, 12));
  EXPECT_THAT(tensors.at("patch_tokens").shape, ElementsAre(4, 16, 12));
  EXPECT_EQ(tensors.at("class_token").dtype, "F32");
  const auto files = nlohmann::json::parse(file->view().metadata().at("files"));
  EXPECT_EQ(files, (nlohmann::json{"cmyk.jpg", "grey16.png", "lossy.webp", "photo.jpg"}));
}

TEST_F(ToolsTest, EmbedGivesTheSameFeaturesFromTheExportedEncoder) {
  ASSERT_EQ(Call(RunExport, {"export", "--checkpoint", Path("checkpoint.safetensors"), "--to=hf", "--out", Path("hf")}), 0);
  EXPECT_TRUE(FileExists(Path("hf/config.json")));
  std::vector<at::Tensor> features;
  for (const char* weights : {"checkpoint.safetensors", "hf"}) {
    const std::string out = Path(absl::StrCat(weights, ".features"));
    ASSERT_EQ(Call(RunEmbed, {"embed", "--weights", Path(weights), "--images", Path("photos"), "--out", out}), 0);
    ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(out));
    features.push_back(ReadTensors(file->view()).value().at("class_token").clone());
  }
  EXPECT_TRUE(features[0].allclose(features[1], 1e-5, 1e-6));
}

TEST_F(ToolsTest, ExportOfTheWholeModelReadsBackEqual) {
  ASSERT_EQ(Call(RunExport, {"export", "--checkpoint", Path("checkpoint.safetensors"), "--to=safetensors", "--out",
                             Path("model.safetensors")}), 0);
  ASSERT_OK_AND_ASSIGN(const auto before, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  ASSERT_OK_AND_ASSIGN(const auto after, SafetensorsFile::Open(Path("model.safetensors")));
  ASSERT_EQ(before->view().tensors().size(), after->view().tensors().size());
  for (const auto& [name, tensor] : before->view().tensors()) {
    EXPECT_EQ(after->view().tensors().at(name).bytes, tensor.bytes) << name;
  }
}

TEST_F(ToolsTest, ExportTakesTheAverageWhereAJobKeptOne) {
  const std::vector<std::string> average = {"export", "--checkpoint", Path("checkpoint.safetensors"), "--to=safetensors", "--average", "--out",
                                            Path("average.safetensors")};
  EXPECT_EQ(Call(RunExport, average), 2) << "none was kept";
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  NamedTensors tensors = ReadTensors(file->view()).value();
  NamedTensors kept = tensors;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind("encoder.", 0) == 0) kept["ema." + name] = tensor + 1;
  }
  kept["ema.objective.dino.center"] = tensors.at("encoder.norm.weight");
  ASSERT_OK(WriteSafetensors(Path("kept.safetensors"), kept, {{"job", JobSpecText(spec_)}}));
  ASSERT_EQ(Call(RunExport, {"export", "--checkpoint", Path("kept.safetensors"), "--to=safetensors", "--average", "--out",
                             Path("average.safetensors")}), 0);
  ASSERT_OK_AND_ASSIGN(const auto exported, SafetensorsFile::Open(Path("average.safetensors")));
  const NamedTensors found = ReadTensors(exported->view()).value();
  EXPECT_EQ(found.count("objective.pixels.mask_token"), 0u);
  EXPECT_EQ(found.count("objective.dino.center"), 0u) << "what objectives keep beside it is no part of the encoder";
  EXPECT_TRUE(at::equal(found.at("encoder.norm.weight"), tensors.at("encoder.norm.weight") + 1));
}

TEST_F(ToolsTest, ReconstructDrawsThreePanels) {
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", Path("photos"),
                                  "--out", Path("pictures"), "--count=3"}), 0);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Path("pictures"))) names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("00000_cmyk.jpg.png", "00001_grey16.png.png", "00002_lossy.webp.png"));
  ASSERT_OK_AND_ASSIGN(const Pixels picture, DecodeImage(ReadFile(Path("pictures/00000_cmyk.jpg.png")).value(), 1000000));
  ASSERT_EQ(picture.height, 192);
  ASSERT_EQ(picture.width, 3 * 192 + 2 * 4);
  const at::Tensor view =
      EvaluationCrop(DecodeImage(ReadFile(Path("photos/cmyk.jpg")).value(), 10000).value(), {3, 16, 16});
  const auto* bytes = view.const_data_ptr<uint8_t>();
  int grey_patches = 0;
  for (int patch = 0; patch < 16; ++patch) {
    int same = 0, grey = 0, predicted_same = 0;
    for (int pixel = 0; pixel < 16; ++pixel) {
      const int y = patch / 4 * 4 + pixel / 4;
      const int x = patch % 4 * 4 + pixel % 4;
      const auto at = [&](int panel) { return &picture.rgb[(y * 12 * picture.width + panel * 196 + x * 12) * 3]; };
      EXPECT_EQ(at(0)[1], bytes[256 + y * 16 + x]);
      same += at(1)[1] == bytes[256 + y * 16 + x];
      predicted_same += at(2)[1] == bytes[256 + y * 16 + x];
      grey += at(1)[0] == 128 && at(1)[1] == 128 && at(1)[2] == 128;
    }
    grey_patches += grey == 16;
    if (grey == 16) continue;
    EXPECT_EQ(same, 16) << patch;
    EXPECT_EQ(predicted_same, 16) << patch;  // visible patches are shown as they are
  }
  EXPECT_EQ(grey_patches, 12);  // 75 % hidden
}

// A grid, because nothing about it is drawn: of 4 x 6 patches the first of every four is seen.
TEST_F(ToolsTest, ReconstructDrawsGreyRectanglesUnderTheJobsOwnMask) {
  spec_ = ParseRecipe(kRecipe, "tiny").value();
  spec_.mutable_data()->set_image_width_px(24);
  spec_.mutable_data()->set_channels(1);
  spec_.mutable_mask()->mutable_grid();
  spec_ = ResolveJobSpec(spec_).value();
  WriteCheckpoint();
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", Path("photos"),
                                  "--out", Path("pictures"), "--count=1"}), 0);
  ASSERT_OK_AND_ASSIGN(const Pixels picture, DecodeImage(ReadFile(Path("pictures/00000_cmyk.jpg.png")).value(), 1000000));
  ASSERT_EQ(picture.height, 16 * 8);
  ASSERT_EQ(picture.width, 3 * 24 * 8 + 2 * 4);
  const at::Tensor view =
      EvaluationCrop(DecodeImage(ReadFile(Path("photos/cmyk.jpg")).value(), 10000).value(), {1, 16, 24});
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 24; ++x) {
      const auto at = [&](int panel) { return &picture.rgb[(y * 8 * picture.width + panel * (24 * 8 + 4) + x * 8) * 3]; };
      for (int panel = 0; panel < 3; ++panel) {
        ASSERT_EQ(at(panel)[0], at(panel)[1]);
        ASSERT_EQ(at(panel)[0], at(panel)[2]);
      }
      const uint8_t pixel = view.const_data_ptr<uint8_t>()[y * 24 + x];
      const bool seen = y / 4 % 2 == 0 && x / 4 % 2 == 0;
      ASSERT_EQ(at(0)[0], pixel);
      ASSERT_EQ(at(1)[0], seen ? pixel : 128) << y << " " << x;
      if (seen) {
        ASSERT_EQ(at(2)[0], pixel);
      }
    }
  }
}

TEST_F(ToolsTest, ReconstructSaysThatFocusedMasksAreRandomHere) {
  spec_.mutable_mask()->mutable_focused()->set_teacher("t");
  WriteCheckpoint();
  ::testing::internal::CaptureStderr();
  const int code = Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", Path("photos"),
                                         "--out", Path("pictures"), "--count=1"});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 0) << said;
  EXPECT_THAT(said, HasSubstr("drawn by its teacher \"t\"; here they are random"));
  EXPECT_TRUE(FileExists(Path("pictures/00000_cmyk.jpg.png")));
}

TEST_F(ToolsTest, HostileMemberNamesStayInTheFolder) {
  testing::WriteTar(Path("x.tar"), {{"../../up.png", ReadFile("data/testdata/grey.png").value()}});
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", Path("x.tar"),
                                  "--out", Path("deep/er/pictures")}), 0);
  EXPECT_TRUE(FileExists(Path("deep/er/pictures/00000_x.tar_.._.._up.png.png")));
}

TEST_F(ToolsTest, KnnPrintsOneJsonObject) {
  for (const char* split : {"train", "validation"}) {
    for (int i = 0; i < 6; ++i) {
      Pixels pixels{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
      // Two classes that pixels tell apart: rising and falling brightness.
      for (int j = 0; j < 768; ++j) pixels.rgb[j] = static_cast<uint8_t>((i % 2 ? j / 4 : 255 - j / 4) + i);
      const std::string folder = Path(absl::StrCat("split/", split, "/", i % 2 ? "up" : "down"));
      ASSERT_OK(MakeDirs(folder));
      ASSERT_OK(WriteFileAtomic(JoinPath(folder, absl::StrCat(i, ".png")), EncodePng(pixels)));
    }
  }
  ::testing::internal::CaptureStdout();
  const int code = Call(RunKnn, {"knn", "--weights", Path("checkpoint.safetensors"), "--data", Path("split"), "--k=3"});
  const std::string output = ::testing::internal::GetCapturedStdout();
  ASSERT_EQ(code, 0);
  const auto json = nlohmann::json::parse(output);
  EXPECT_EQ(json.at("images"), 6);
  EXPECT_EQ(json.at("bank_images"), 6);
  EXPECT_EQ(json.at("majority_rate"), 0.5);
  EXPECT_EQ(json.at("knn_raw_pixels"), 1.0);
  const double by_class = json.at("knn_accuracy_class");
  const double by_mean = json.at("knn_accuracy_patch_mean");
  EXPECT_EQ(json.at("knn_accuracy"), std::max(by_class, by_mean));
}

TEST_F(ToolsTest, WrongRequestsExitWithTwoAndSayWhy) {
  const std::string checkpoint = Path("checkpoint.safetensors");
  const std::string whole = ReadFile(checkpoint).value();
  ASSERT_OK(WriteFileAtomic(Path("cut.safetensors"), whole.substr(0, whole.size() / 2)));
  ASSERT_OK(WriteSafetensors(Path("foreign.safetensors"), {}, {}));
  struct Case {
    int (*verb)(int, char**);
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {RunEmbed, {"embed"}, 2, "--weights"},
      {RunEmbed, {"embed", "--weights", Path("none"), "--images", Path("photos"), "--out", Path("o")}, 2, "none"},
      {RunEmbed, {"embed", "--weights", Path("cut.safetensors"), "--images", Path("photos"), "--out", Path("o")}, 1,
       "cut.safetensors"},
      {RunEmbed, {"embed", "--weights", checkpoint, "--images", Path("nowhere"), "--out", Path("o")}, 2, "nowhere: no such file"},
      {RunExport, {"export", "--checkpoint", checkpoint, "--to=onnx", "--out", Path("o")}, 2, "onnx"},
      {RunExport, {"export", "--checkpoint", Path("foreign.safetensors"), "--to=hf", "--out", Path("o")}, 2, "no encoder of a known family"},
      {RunKnn, {"knn", "--weights", checkpoint, "--data", Path("photos")}, 2, "no train/ and validation/"},
      {RunKnn, {"knn", "--weights", checkpoint, "--data", Path("photos"), "--bank", Path("photos")}, 2, "have no label"},
  };
  for (const Case& wrong : cases) {
    ::testing::internal::CaptureStderr();
    const int code = Call(wrong.verb, wrong.arguments);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(code, wrong.code) << said;
    EXPECT_THAT(said, HasSubstr(wrong.says));
  }
}

}  // namespace
}  // namespace mimeo
