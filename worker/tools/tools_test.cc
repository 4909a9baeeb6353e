// The tools on small real files: a model that this test makes, photos, and what other programs read back.
#include "worker/tools/tools.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
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
#include "worker/tools/testing/tools_fixture.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LabelledToolsTest;
using testing::ToolsTest;

int Call(testing::ToolMain verb, std::vector<std::string> arguments) {
  return testing::CallTool(verb, std::move(arguments));
}

// Before the weights are looked at: there are none.
TEST_F(ToolsTest, AnOutputThatCannotBeWrittenIsFoundBeforeTheWork) {
  const auto said = [&](int (*verb)(int, char**), std::vector<std::string> arguments) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(Call(verb, std::move(arguments)), 2);
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string weights = Path("no_weights"), photos = Path("photos");
  EXPECT_THAT(said(RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", photos}),
              HasSubstr("is a folder; it should be the name of a file"));
  EXPECT_THAT(said(RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", Path("none/f")}),
              HasSubstr("there is no folder"));
  EXPECT_THAT(said(RunReconstruct, {"reconstruct", "--weights", weights, "--images", photos, "--out", "/proc/pngs"}),
              HasSubstr("--out /proc/pngs: cannot be written"));
  EXPECT_THAT(said(RunExport, {"export", "--checkpoint", weights, "--to", "hf", "--out", "/proc/encoder"}),
              HasSubstr("--out /proc/encoder: cannot be written"));
  EXPECT_THAT(said(RunExport, {"export", "--checkpoint", weights, "--to", "safetensors", "--out", Path("none/f")}),
              HasSubstr("there is no folder"));
}

TEST_F(ToolsTest, EmbedWritesFeaturesAndTheSortedFiles) {
  ASSERT_EQ(Call(RunEmbed, {"embed", "--weights", Path("checkpoint.safetensors"), "--images", Path("photos"), "--out",
                            Path("f.safetensors"), "--tokens", "--batch=2"}),
            0);
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("f.safetensors")));
  const auto& tensors = file->view().tensors();
  EXPECT_THAT(tensors.at("class_token").shape, ElementsAre(4, 12));
  EXPECT_THAT(tensors.at("patch_mean").shape, ElementsAre(4, 12));
  EXPECT_THAT(tensors.at("patch_tokens").shape, ElementsAre(4, 16, 12));
  EXPECT_EQ(tensors.at("class_token").dtype, "F32");
  const auto files = nlohmann::json::parse(file->view().metadata().at("files"));
  EXPECT_EQ(files, (nlohmann::json{"cmyk.jpg", "grey16.png", "lossy.webp", "photo.jpg"}));
  EXPECT_EQ(nlohmann::json::parse(file->view().metadata().at("left_out")), (nlohmann::json{"text.jpg"}));
}

// Of three photos two have a label; the fourth is no image, and something else lies beside them.
TEST_F(ToolsTest, EmbedWritesLabelsAndTheirNames) {
  const std::string photo = ReadFile(Path("photos/photo.jpg")).value();
  for (const char* name : {"set/b", "set/a"}) ASSERT_OK(MakeDirs(Path(name)));
  for (const char* name : {"set/b/1.jpg", "set/a/2.jpg", "set/3.jpg"}) ASSERT_OK(WriteFileAtomic(Path(name), photo));
  ASSERT_OK(WriteFileAtomic(Path("set/b/no.jpg"), "text"));
  ASSERT_OK(WriteFileAtomic(Path("set/.hidden.jpg"), "text"));
  const std::vector<std::string> embed = {"embed",    "--weights", Path("checkpoint.safetensors"),
                                          "--images", Path("set"), "--out"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), embed.begin(), embed.end());
    return more;
  };
  ASSERT_EQ(Call(RunEmbed, with({Path("f.safetensors")})), 0);
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("f.safetensors")));
  const auto json = [&](const char* key) { return nlohmann::json::parse(file->view().metadata().at(key)); };
  EXPECT_EQ(json("files"), (nlohmann::json{"3.jpg", "a/2.jpg", "b/1.jpg"}));
  EXPECT_EQ(json("classes"), (nlohmann::json{"a", "b"}));
  EXPECT_EQ(json("left_out"), (nlohmann::json{"b/no.jpg"}));
  EXPECT_EQ(json("passed_over")[0].at("reason"), "hidden files");
  EXPECT_EQ(file->view().tensors().at("labels").dtype, "I64");
  const NamedTensors tensors = ReadTensors(file->view()).value();
  const auto* labels = tensors.at("labels").const_data_ptr<int64_t>();
  EXPECT_THAT(std::vector<int64_t>(labels, labels + 3), ElementsAre(-1, 0, 1));

  // The same as a matrix, with the lists beside it.
  for (const char* feature : {"patch_mean", "class_token"}) {
    ASSERT_EQ(Call(RunEmbed, with({Path("f.npy"), absl::StrCat("--feature=", feature)})), 0);
    const auto beside = nlohmann::json::parse(ReadFile(Path("f.json")).value());
    EXPECT_EQ(beside.at("feature"), feature);
    EXPECT_EQ(beside.at("files"), json("files"));
    EXPECT_EQ(beside.at("labels"), (nlohmann::json{-1, 0, 1}));
    EXPECT_EQ(beside.at("classes"), json("classes"));
    EXPECT_EQ(beside.at("left_out"), json("left_out"));
    const std::string npy = ReadFile(Path("f.npy")).value();
    const absl::string_view numbers = file->view().tensors().at(feature).bytes;
    ASSERT_EQ(npy.size(), 128 + numbers.size());
    EXPECT_THAT(npy.substr(0, 128), HasSubstr("'shape': (3, 12)"));
    EXPECT_EQ(npy.substr(128), numbers) << feature;
  }
  ASSERT_EQ(Call(RunEmbed, with({Path("g.npy")})), 0);
  EXPECT_EQ(nlohmann::json::parse(ReadFile(Path("g.json")).value()).at("feature"), "patch_mean") << "the default";
  EXPECT_EQ(Call(RunEmbed, with({Path("g.npy"), "--tokens"})), 2);
  EXPECT_EQ(Call(RunEmbed, with({Path("g.safetensors"), "--feature=patch_mean"})), 2);
}

// Bytes that are no text, a new line and an escape sequence in names: written out, in the file and on the terminal.
TEST_F(ToolsTest, EmbedMakesTextOfNames) {
  ASSERT_OK(MakeDirs(Path("odd")));
  ASSERT_OK_AND_ASSIGN(const std::string photo, ReadFile(Path("photos/photo.jpg")));
  ASSERT_OK(WriteFileAtomic(Path("odd/caf\xe9.jpg"), photo));
  ASSERT_OK(WriteFileAtomic(Path("odd/\xe6\x9c\xac.jpg"), photo));
  ASSERT_OK(WriteFileAtomic(Path("odd/\x1b[2J\nx.jpg"), "text"));
  ::testing::internal::CaptureStderr();
  const int code = Call(RunEmbed, {"embed", "--weights", Path("checkpoint.safetensors"), "--images", Path("odd"),
                                   "--out", Path("f.safetensors")});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 0) << said;
  EXPECT_EQ(said.find('\x1b'), std::string::npos) << said;
  EXPECT_THAT(said, HasSubstr("\\x1b[2J\\x0ax.jpg is left out"));
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("f.safetensors")));
  EXPECT_EQ(nlohmann::json::parse(file->view().metadata().at("files")),
            (nlohmann::json{"caf\\xe9.jpg", "\xe6\x9c\xac.jpg"}));
  EXPECT_EQ(nlohmann::json::parse(file->view().metadata().at("left_out")), (nlohmann::json{"\\x1b[2J\\x0ax.jpg"}));
}

// 4,500 names of which each takes 23 KB where it is written out: more than a header of safetensors holds. No image of
// them can be decoded, so a run that begins the work says so.
TEST_F(ToolsTest, EmbedRefusesTooManyNamesBeforeItBegins) {
  std::string deep = Path("many");
  while (deep.size() < 3500) deep += "/" + std::string(250, '\xe9');
  ASSERT_OK(MakeDirs(deep));
  for (int i = 0; i < 4500; ++i) {
    const std::string name = absl::StrCat(deep, "/", std::string(240, '\xe9'), 1000 + i, ".jpg");
    FILE* const file = std::fopen(name.c_str(), "w");
    ASSERT_NE(file, nullptr) << name.size();
    std::fclose(file);
  }
  ::testing::internal::CaptureStderr();
  const int code = Call(RunEmbed, {"embed", "--weights", Path("checkpoint.safetensors"), "--images", Path("many"),
                                   "--out", Path("f.safetensors")});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 2) << said;
  EXPECT_THAT(said,
              HasSubstr("and readers of safetensors take 100000000 at most; it lists the names of the 4500 images"));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("left out")));
}

TEST_F(ToolsTest, WeightsThatAreNotFiniteAreRefusedByName) {
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  const NamedTensors good = ReadTensors(file->view()).value();
  const std::string photos = Path("photos"), weights = Path("broken.safetensors"), out = Path("o");
  struct Case {
    int (*verb)(int, char**);
    std::vector<std::string> arguments;
    std::string tensor;
  };
  const std::vector<Case> cases = {
      {RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", out}, "blocks.0.attn.qkv.weight"},
      {RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", out}, "cls_token"},
      {RunKnn, {"knn", "--weights", weights, "--data", photos, "--bank", photos}, "norm.weight"},
      {RunLinear, {"linear", "--weights", weights, "--data", photos, "--bank", photos}, "norm.weight"},
      {RunReconstruct, {"reconstruct", "--weights", weights, "--images", photos, "--out", out}, "norm.weight"},
      {RunExport, {"export", "--checkpoint", weights, "--to=hf", "--out", out}, "norm.weight"},
      {RunExport, {"export", "--checkpoint", weights, "--to=safetensors", "--out", out}, "norm.weight"},
  };
  for (const Case& wrong : cases) {
    NamedTensors tensors = good;
    at::Tensor broken = tensors.at("encoder." + wrong.tensor).clone();
    broken.view({-1})[3] = std::nan("");
    tensors["encoder." + wrong.tensor] = broken;
    ASSERT_OK(WriteSafetensors(weights, tensors, {{"job", JobSpecText(spec_)}}));
    ::testing::internal::CaptureStderr();
    const int code = Call(wrong.verb, wrong.arguments);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(code, 2) << said;
    EXPECT_THAT(said, HasSubstr(absl::StrCat("key encoder.", wrong.tensor, " holds 1 of ", broken.numel(),
                                             " values that are not finite, the first of them nan at 3")));
    EXPECT_FALSE(FileExists(out)) << wrong.arguments[0];
  }
}

TEST_F(ToolsTest, ExportRefusesWhatBfloat16CannotHold) {
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  NamedTensors tensors = ReadTensors(file->view()).value();
  at::Tensor large = tensors.at("encoder.norm.weight").clone();
  large[5] = 3.4e38;
  tensors["encoder.norm.weight"] = large;
  ASSERT_OK(WriteSafetensors(Path("large.safetensors"), tensors, {{"job", JobSpecText(spec_)}}));
  std::vector<std::string> arguments = {"export",           "--checkpoint", Path("large.safetensors"),
                                        "--to=safetensors", "--out",        Path("o.safetensors")};
  EXPECT_EQ(Call(RunExport, arguments), 0);
  arguments.push_back("--dtype=bf16");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Call(RunExport, arguments), 2);
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      HasSubstr(
          "encoder.norm.weight holds 1 of 12 values that are not finite, the first of them inf at 5, as bfloat16"));
}

// Finite weights whose products are not: nothing is written that looks like features.
TEST_F(ToolsTest, EmbedWritesNoFeaturesThatAreNotFinite) {
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  NamedTensors tensors = ReadTensors(file->view()).value();
  tensors["encoder.norm.weight"] = tensors.at("encoder.norm.weight") * 3e38;
  tensors["encoder.norm.bias"] = tensors.at("encoder.norm.bias") + 3e38;
  ASSERT_OK(WriteSafetensors(Path("large.safetensors"), tensors, {{"job", JobSpecText(spec_)}}));
  ::testing::internal::CaptureStderr();
  const int code =
      Call(RunEmbed, {"embed", "--weights", Path("large.safetensors"), "--images", Path("photos"), "--out", Path("o")});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 1) << said;
  EXPECT_THAT(said, HasSubstr("values that are not finite"));
  EXPECT_FALSE(FileExists(Path("o")));
}

// Every tool that takes a size says which ones it could take, before anything is computed.
TEST_F(ToolsTest, ASizeThatCannotBeIsRefusedWithOnesThatCan) {
  const std::string weights = Path("checkpoint.safetensors"), photos = Path("photos");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--image_px=8000000", "--image_px: \"8000000\" is not a number from 0 to 4096"},
      {"--image_px=-16", "--image_px: \"-16\" is not a number from 0 to 4096"},
      {"--image_px=18", "not tiled by its patches of 4 px; a side is a multiple of them, such as 16 or 20"},
      {"--image_px=3", "not tiled by its patches of 4 px; a side is a multiple of them, such as 4 or 8"},
      {"--image_px=2048", "--image_px=2048: 512 patches of 4 px a side; at most 256, an image of 1024 px"},
  };
  for (const auto& [size, says] : cases) {
    const std::vector<std::pair<int (*)(int, char**), std::vector<std::string>>> verbs = {
        {RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", Path("o"), size}},
        {RunKnn, {"knn", "--weights", weights, "--data", photos, "--bank", photos, size}},
        {RunLinear, {"linear", "--weights", weights, "--data", photos, "--bank", photos, size}},
    };
    for (const auto& [verb, arguments] : verbs) {
      ::testing::internal::CaptureStderr();
      const int code = Call(verb, arguments);
      const std::string said = ::testing::internal::GetCapturedStderr();
      EXPECT_EQ(code, 2) << said;
      EXPECT_THAT(said, HasSubstr(says)) << arguments[0];
    }
  }
  EXPECT_EQ(Call(RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", Path("o"), "--image_px=20"}),
            0);
  EXPECT_EQ(Call(RunEmbed, {"embed", "--weights", weights, "--images", photos, "--out", Path("o"), "--image_px=0"}), 0);
}

TEST_F(ToolsTest, EmbedGivesTheSameFeaturesFromTheExportedEncoder) {
  ASSERT_EQ(Call(RunExport, {"export", "--checkpoint", Path("checkpoint.safetensors"), "--to=hf", "--out", Path("hf")}),
            0);
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
                             Path("model.safetensors")}),
            0);
  ASSERT_OK_AND_ASSIGN(const auto before, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  ASSERT_OK_AND_ASSIGN(const auto after, SafetensorsFile::Open(Path("model.safetensors")));
  ASSERT_EQ(before->view().tensors().size(), after->view().tensors().size());
  for (const auto& [name, tensor] : before->view().tensors()) {
    EXPECT_EQ(after->view().tensors().at(name).bytes, tensor.bytes) << name;
  }
}

TEST_F(ToolsTest, ExportTakesTheAverageWhereAJobKeptOne) {
  const std::vector<std::string> average = {
      "export",    "--checkpoint", Path("checkpoint.safetensors"), "--to=safetensors",
      "--average", "--out",        Path("average.safetensors")};
  EXPECT_EQ(Call(RunExport, average), 2) << "none was kept";
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(Path("checkpoint.safetensors")));
  NamedTensors tensors = ReadTensors(file->view()).value();
  NamedTensors kept = tensors;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind("encoder.", 0) == 0) kept["ema." + name] = tensor + 1;
  }
  kept["ema.objective.dino.center"] = tensors.at("encoder.norm.weight");
  ASSERT_OK(WriteSafetensors(Path("kept.safetensors"), kept, {{"job", JobSpecText(spec_)}}));
  ASSERT_EQ(Call(RunExport, {"export", "--checkpoint", Path("kept.safetensors"), "--to=safetensors", "--average",
                             "--out", Path("average.safetensors")}),
            0);
  ASSERT_OK_AND_ASSIGN(const auto exported, SafetensorsFile::Open(Path("average.safetensors")));
  const NamedTensors found = ReadTensors(exported->view()).value();
  EXPECT_EQ(found.count("objective.pixels.mask_token"), 0u);
  EXPECT_EQ(found.count("objective.dino.center"), 0u) << "what objectives keep beside it is no part of the encoder";
  EXPECT_TRUE(at::equal(found.at("encoder.norm.weight"), tensors.at("encoder.norm.weight") + 1));
}

TEST_F(ToolsTest, ReconstructDrawsThreePanels) {
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images",
                                  Path("photos"), "--out", Path("pictures"), "--count=4"}),
            0);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Path("pictures"))) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("00000_cmyk.jpg.png", "00001_grey16.png.png",
                                                     "00002_lossy.webp.png", "00003_photo.jpg.png"));
  ASSERT_OK_AND_ASSIGN(const Pixels picture,
                       DecodeImage(ReadFile(Path("pictures/00000_cmyk.jpg.png")).value(), 1000000));
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
  spec_ = ParseRecipe(testing::kTinyRecipe, "tiny").value();
  spec_.mutable_data()->set_image_width_px(24);
  spec_.mutable_data()->set_channels(1);
  spec_.mutable_mask()->mutable_grid();
  spec_ = ResolveJobSpec(spec_).value();
  WriteCheckpoint();
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", OnePhoto(),
                                  "--out", Path("pictures"), "--count=1"}),
            0);
  ASSERT_OK_AND_ASSIGN(const Pixels picture,
                       DecodeImage(ReadFile(Path("pictures/00000_cmyk.jpg.png")).value(), 1000000));
  ASSERT_EQ(picture.height, 16 * 8);
  ASSERT_EQ(picture.width, 3 * 24 * 8 + 2 * 4);
  const at::Tensor view =
      EvaluationCrop(DecodeImage(ReadFile(Path("photos/cmyk.jpg")).value(), 10000).value(), {1, 16, 24});
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 24; ++x) {
      const auto at = [&](int panel) {
        return &picture.rgb[(y * 8 * picture.width + panel * (24 * 8 + 4) + x * 8) * 3];
      };
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
  const int code = Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images",
                                         OnePhoto(), "--out", Path("pictures"), "--count=1"});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 0) << said;
  EXPECT_THAT(said, HasSubstr("drawn by its teacher \"t\"; here they are random"));
  EXPECT_TRUE(FileExists(Path("pictures/00000_cmyk.jpg.png")));
}

TEST_F(ToolsTest, HostileMemberNamesStayInTheFolder) {
  testing::WriteTar(Path("x.tar"), {{"../../up.png", ReadFile("data/testdata/grey.png").value()}});
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images", Path("x.tar"),
                                  "--out", Path("deep/er/pictures")}),
            0);
  EXPECT_TRUE(FileExists(Path("deep/er/pictures/00000_x.tar_.._.._up.png.png")));
}

TEST_F(LabelledToolsTest, ReconstructDrawsSomeOfEachClass) {
  ASSERT_EQ(Call(RunReconstruct, {"reconstruct", "--weights", Path("checkpoint.safetensors"), "--images",
                                  Path("split/train"), "--out", Path("pictures"), "--count=4"}),
            0);
  int up = 0, down = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path("pictures"))) {
    const std::string name = entry.path().filename();
    up += name.find("_up_") != std::string::npos;
    down += name.find("_down_") != std::string::npos;
  }
  EXPECT_EQ(down, 2) << "and not all of the first class by name";
  EXPECT_EQ(up, 2);
}

TEST_F(ToolsTest, DescribeSaysWhatARecipeNeedsToStartFromWeights) {
  ::testing::internal::CaptureStdout();
  const int code = Call(RunDescribe, {"describe", "--weights", Path("checkpoint.safetensors")});
  const auto json = nlohmann::json::parse(::testing::internal::GetCapturedStdout());
  ASSERT_EQ(code, 0);
  ASSERT_OK_AND_ASSIGN(const JobSpec recipe, ParseRecipe(json.at("encoder").get<std::string>(), "describe"));
  EXPECT_EQ(recipe.encoder().vit().patch_px(), 4);
  EXPECT_EQ(recipe.encoder().vit().width(), 12);
  EXPECT_EQ(recipe.encoder().vit().mlp_ratio(), 2);
  EXPECT_EQ(recipe.encoder().vit().positions(), POSITIONS_SINE_COSINE);
  EXPECT_EQ(json.at("height_px"), 16);
  EXPECT_EQ(json.at("channels"), 3);
  EXPECT_EQ(json.at("pixel_mean").size(), 3u);
  EXPECT_EQ(json.at("family"), "mimeo");
  // What it names is what a job with this encoder starts from.
  Parameters parameters(1);
  const ImageShape image = ImageShapeOf(spec_.data());
  const auto encoder = MakeEncoder(recipe.encoder(), image, &parameters);
  EXPECT_OK(LoadEncoderInto(Path("checkpoint.safetensors"), recipe.encoder(), image, &parameters).status());
  int64_t numbers = 0;
  for (const auto& [name, parameter] : parameters.all()) numbers += parameter.numel();
  EXPECT_EQ(json.at("parameters"), numbers);
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
      {RunEmbed,
       {"embed", "--weights", Path("cut.safetensors"), "--images", Path("photos"), "--out", Path("o")},
       1,
       "cut.safetensors"},
      {RunEmbed,
       {"embed", "--weights", checkpoint, "--images", Path("nowhere"), "--out", Path("o")},
       2,
       "nowhere: no such file"},
      {RunExport, {"export", "--checkpoint", checkpoint, "--to=onnx", "--out", Path("o")}, 2, "onnx"},
      {RunExport,
       {"export", "--checkpoint", Path("foreign.safetensors"), "--to=hf", "--out", Path("o")},
       2,
       "no encoder of a known family"},
      {RunDescribe, {"describe", "--weights", Path("none")}, 2, "none"},
      {RunKnn, {"knn", "--weights", checkpoint, "--data", Path("photos")}, 2, "no train/ and validation/"},
      {RunKnn,
       {"knn", "--weights", checkpoint, "--data", Path("photos"), "--bank", Path("photos")},
       2,
       "none of its 5 images has a label"},
      {RunKnn, {"knn", "--weights", checkpoint, "--data", Path("photos"), "--max_images=-1"}, 2, "--max_images"},
      {RunKnn, {"knn", "--weights", checkpoint, "--data", Path("photos"), "--caf\xe9\x1b[2J"}, 2, "caf\\xe9\\x1b[2J"},
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
