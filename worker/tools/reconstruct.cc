#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/output.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/divided_dataset.h"
#include "data/stored_dataset.h"
#include "evaluation/checkpoint_job.h"
#include "evaluation/left_out.h"
#include "evaluation/reconstruction.h"
#include "spdlog/spdlog.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  std::string weights;
  std::string images;
  std::string out;
  double hold_out = 0;
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

absl::StatusOr<std::unique_ptr<Dataset>> OpenImages(const Flags& flags) {
  ASSIGN_OR_RETURN(auto images, StoredDataset::Open(flags.images));
  if (flags.hold_out == 0) return images;
  ASSIGN_OR_RETURN(const DividedDataset divided, DividedDataset::Divide(std::move(images), flags.hold_out));
  return divided.HeldOut();
}

absl::Status Reconstruct(const Flags& flags) {
  RETURN_IF_ERROR(CheckOutputFolder("--out", flags.out));
  const std::string path =
      IsDirectory(flags.weights) ? JoinPath(flags.weights, "checkpoint.safetensors") : flags.weights;
  ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path));
  ASSIGN_OR_RETURN(const JobSpec spec, JobOfCheckpoint(file->view(), path));
  ASSIGN_OR_RETURN(const NamedTensors tensors, ReadTensors(file->view()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Reconstructor> reconstructor, Reconstructor::Create(tensors, spec));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, OpenImages(flags));
  RETURN_IF_ERROR(MakeDirs(flags.out));
  if (spec.mask().has_focused()) {
    spdlog::warn("the job's masks were drawn by its teacher \"{}\"; here they are random, of the same size",
                 spec.mask().focused().teacher());
  }
  DrawOptions options;
  options.count = flags.count;
  options.seed = flags.seed;
  int64_t number = 0;
  const auto draw = [&](int64_t sample, const Pixels& picture) {
    return WriteFileAtomic(JoinPath(flags.out, PictureName(number++, dataset->name(sample))), EncodePng(picture));
  };
  const auto left_out = DrawReconstructions(*dataset, *reconstructor, options, draw);
  if (absl::IsInvalidArgument(left_out.status())) {
    return absl::InvalidArgumentError(absl::StrCat("--images=", flags.images, ": ", left_out.status().message()));
  }
  RETURN_IF_ERROR(left_out.status());
  LogLeftOut(*dataset, *left_out);
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
  app.add_option("--hold_out", flags.hold_out, "Only what a job with this evaluation.hold_out does not train on")
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--count", flags.count, "How many images, spread over the classes (default 8)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--seed", flags.seed, "Of the masks (default 0)");
  app.add_option("--threads", flags.threads, "Compute threads (default: one per core)");
  app.footer("Example:\n  worker reconstruct --weights=out/checkpoint.safetensors --images=photos --out=pictures");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Reconstruct(flags); });
}

}  // namespace mimeo
