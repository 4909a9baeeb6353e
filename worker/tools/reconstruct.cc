#include <ATen/ops/stack.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "evaluation/reconstruction.h"
#include "spdlog/spdlog.h"
#include "worker/tools/checkpoint_job.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

constexpr int kPanelPx = 192;

struct Flags {
  std::string weights;
  std::string images;
  std::string out;
  int64_t count = 8;
  uint64_t seed = 0;
  int threads = 0;
};

// "a.tar:dog/1.jpg" -> "00003_a.tar_dog_1.jpg.png": a member's name never becomes a path.
std::string PictureName(int64_t number, const std::string& image) {
  std::string safe;
  for (const char c : image.substr(0, 100)) safe += absl::ascii_isalnum(c) || c == '.' || c == '-' ? c : '_';
  return absl::StrFormat("%05d_%s.png", number, safe);
}

absl::StatusOr<at::Tensor> ReadView(const Dataset& dataset, int64_t sample, const CropShape& shape,
                                    int64_t max_pixels) {
  ASSIGN_OR_RETURN(const std::string encoded, dataset.Read(sample));
  ASSIGN_OR_RETURN(const Pixels pixels, DecodeImage(encoded, max_pixels));
  return EvaluationCrop(pixels, shape);
}

absl::Status Reconstruct(const Flags& flags) {
  const std::string path =
      IsDirectory(flags.weights) ? JoinPath(flags.weights, "checkpoint.safetensors") : flags.weights;
  ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path));
  ASSIGN_OR_RETURN(const JobSpec spec, JobOfCheckpoint(file->view(), path));
  ASSIGN_OR_RETURN(const NamedTensors tensors, ReadTensors(file->view()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Reconstructor> reconstructor, Reconstructor::Create(tensors, spec));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(flags.images));
  RETURN_IF_ERROR(MakeDirs(flags.out));
  if (spec.mask().has_focused()) {
    spdlog::warn("the job's masks were drawn by its teacher \"{}\"; here they are random, of the same size",
                 spec.mask().focused().teacher());
  }
  int64_t drawn = 0;
  for (int64_t sample = 0; sample < dataset->size() && drawn < flags.count; ++sample) {
    const absl::StatusOr<at::Tensor> view =
        ReadView(*dataset, sample, CropShapeOf(spec.data()), spec.data().max_pixels());
    if (!view.ok()) {
      spdlog::warn("image {} is left out: {}", dataset->name(sample), std::string(view.status().message()));
      continue;
    }
    const RandomKey key = RandomKey(flags.seed).Fold("reconstruct").Fold(static_cast<uint64_t>(sample));
    const Pixels picture = reconstructor->Draw(view->unsqueeze(0), {key}, kPanelPx).front();
    RETURN_IF_ERROR(
        WriteFileAtomic(JoinPath(flags.out, PictureName(drawn++, dataset->name(sample))), EncodePng(picture)));
  }
  if (drawn == 0) return absl::InvalidArgumentError(absl::StrCat(flags.images, ": none of its images can be decoded"));
  return absl::OkStatus();
}

}  // namespace

int RunReconstruct(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "What a masked autoencoder makes of hidden patches: a PNG per image with image | masked | reconstruction.",
      "reconstruct");
  app.add_option("--weights", flags.weights, "A checkpoint.safetensors of Mimeo, or the folder that holds it")
      ->required();
  app.add_option("--images", flags.images, "A folder of images, a tar, or a folder of tars")->required();
  app.add_option("--out", flags.out, "The folder to write PNGs to")->required();
  app.add_option("--count", flags.count, "How many images, the first in order (default 8)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--seed", flags.seed, "Of the masks (default 0)");
  app.add_option("--threads", flags.threads, "Compute threads (default: one per core)");
  app.footer("Example:\n  worker reconstruct --weights=out/checkpoint.safetensors --images=photos --out=pictures");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Reconstruct(flags); });
}

}  // namespace mimeo
