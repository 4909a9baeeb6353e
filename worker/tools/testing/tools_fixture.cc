#include "worker/tools/testing/tools_fixture.h"

#include <ATen/core/grad_mode.h>

#include "absl/strings/str_cat.h"
#include "base/safetensors.h"
#include "base/testing/status_matchers.h"
#include "data/decode.h"
#include "job/job_spec.h"
#include "model/encoder.h"
#include "model/weights.h"
#include "objective/objective.h"

namespace mimeo::testing {

const char kTinyRecipe[] = R"(
  name: "tiny" seed: 5
  data { path: "photos" global_batch: 4 image_px: 16 }
  mask { hidden_fraction: 0.75 }
  encoder { vit { patch_px: 4 width: 12 depth: 1 heads: 3 mlp_ratio: 2 } }
  objective { name: "pixels" reconstruction { decoder_width: 12 decoder_depth: 1 decoder_heads: 3 normalize_patches: false } }
  objective { name: "mimic" mimic { teacher: "t" } }
  optimizer { adamw {} }
  schedule { steps: 10 })";

int CallTool(ToolMain verb, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return verb(static_cast<int>(argv.size()), argv.data());
}

std::string ToolsTest::OnePhoto() {
  EXPECT_OK(MakeDirs(Path("one")));
  EXPECT_OK(WriteFileAtomic(Path("one/cmyk.jpg"), ReadFile(Path("photos/cmyk.jpg")).value()));
  return Path("one");
}

void ToolsTest::SetUp() {
  spec_ = ResolveJobSpec(ParseRecipe(kTinyRecipe, "tiny").value()).value();
  WriteCheckpoint();
  ASSERT_OK(MakeDirs(Path("photos")));
  const char* names[] = {"photo.jpg", "cmyk.jpg", "grey16.png", "lossy.webp"};
  for (const char* name : names) {
    ASSERT_OK(
        WriteFileAtomic(Path(absl::StrCat("photos/", name)), ReadFile(absl::StrCat("data/testdata/", name)).value()));
  }
  ASSERT_OK(WriteFileAtomic(Path("photos/text.jpg"), "text"));
}

void ToolsTest::WriteCheckpoint() {
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

void LabelledToolsTest::SetUp() {
  ToolsTest::SetUp();
  for (const char* split : {"train", "validation"}) {
    for (int i = 0; i < 6; ++i) {
      WritePicture(absl::StrCat("split/", split, "/", i % 2 ? "up" : "down", "/", i, ".png"), i);
    }
  }
}

void LabelledToolsTest::WritePicture(const std::string& name, int i) {
  Pixels pixels{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
  for (int j = 0; j < 768; ++j) pixels.rgb[j] = static_cast<uint8_t>((i % 2 ? j / 4 : 255 - j / 4) + i);
  const std::string path = Path(name);
  ASSERT_OK(MakeDirs(path.substr(0, path.rfind('/'))));
  ASSERT_OK(WriteFileAtomic(path, EncodePng(pixels)));
}

nlohmann::json LabelledToolsTest::Result(ToolMain verb, const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {"verb", "--weights", Path("checkpoint.safetensors"), "--data", Path(data_)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(CallTool(verb, arguments), 0);
  said_ = ::testing::internal::GetCapturedStderr();
  return nlohmann::json::parse(::testing::internal::GetCapturedStdout());
}

}  // namespace mimeo::testing
