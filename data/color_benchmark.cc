// How fast views change colour: jitter, grey, blur and solarize, all four on each view, one thread.
//
//   bazel run //data:color_benchmark -- --image=PHOTO --image_px=224 [--views=500] [--rounds=5]
//
// Prints one JSON object. BYOL's second view (arXiv 2006.07733, table 6) with every probability at 1, so that nothing
// is left out; the draws are in the time, decoding and resizing are not.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/color.h"
#include "data/decode.h"

namespace mimeo {
namespace {

struct Flags {
  std::string image;
  int image_px = 224;
  int views = 500;
  int rounds = 5;
};

ColorSpec EveryOperation(int image_px) {
  ColorSpec spec;
  spec.set_brightness(0.4), spec.set_contrast(0.4), spec.set_saturation(0.2), spec.set_hue(0.1);
  spec.set_jitter_probability(1);
  spec.set_grey_probability(1);
  spec.set_blur_probability(1), spec.set_blur_sigma_min(0.1), spec.set_blur_sigma_max(2);
  spec.set_blur_kernel_px(image_px / 10 | 1);
  spec.set_solarize_probability(1), spec.set_solarize_threshold(128);
  return spec;
}

absl::Status Measure(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::string encoded, ReadFile(flags.image));
  ASSIGN_OR_RETURN(const Pixels photo, DecodeImage(encoded, /*max_pixels=*/100000000));
  const CropShape shape = {3, flags.image_px, flags.image_px};
  const at::Tensor original = ResizeCrop(photo, shape, /*flip=*/false);
  const auto* bytes = original.const_data_ptr<uint8_t>();
  const ColorSpec spec = EveryOperation(flags.image_px);
  std::vector<double> per_second;
  std::vector<uint8_t> view(static_cast<size_t>(shape.bytes()));
  for (int round = 0; round <= flags.rounds; ++round) {
    const absl::Time before = Clock::Real()->Now();
    for (int i = 0; i < flags.views; ++i) {
      std::copy(bytes, bytes + shape.bytes(), view.begin());
      ApplyColor(DrawColorPlan(spec, RandomKey(1).Fold(static_cast<uint64_t>(i))), shape, view.data());
    }
    if (round > 0) per_second.push_back(flags.views / absl::ToDoubleSeconds(Clock::Real()->Now() - before));
  }
  std::sort(per_second.begin(), per_second.end());
  nlohmann::ordered_json result;
  result["views_per_second"] = per_second[per_second.size() / 2];
  result["views_per_second_best"] = per_second.back();
  result["image_px"] = flags.image_px;
  result["blur_kernel_px"] = spec.blur_kernel_px();
  std::printf("%s\n", result.dump().c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::Flags flags;
  CLI::App app("Measures changes of colour.", "color_benchmark");
  app.add_option("--image", flags.image, "A photo")->required();
  app.add_option("--image_px", flags.image_px, "Height and width of a view (default 224)")->check(CLI::Range(8, 4096));
  app.add_option("--views", flags.views, "Per round (default 500)")->check(CLI::Range(1, 1000000));
  app.add_option("--rounds", flags.rounds, "After one to warm up (default 5)")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = mimeo::Measure(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "color_benchmark: %s\n", std::string(status.message()).c_str());
  return 1;
}
