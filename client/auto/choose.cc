#include "client/auto/choose.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/print.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/auto/chosen_spec.h"
#include "client/auto/gang.h"
#include "client/number_text.h"

namespace mimeo {
namespace {

// With fewer a step has no batch of different photos, and a verdict on the held-out ones says nothing.
constexpr int64_t kPhotosLeast = 50;
// A verdict on fewer photos than this has a 95 % interval of more than seven points to either side.
constexpr double kHeldOutWanted = 200;
constexpr double kHoldOut = 0.1;       // enough of 2,000 photos and more
constexpr double kHoldOutMost = 0.25;  // the rest is to be trained on

// From here on, and on a GPU, MAE: its authors' results are from a million photos and hundreds of epochs on GPUs. On
// few photos it is behind SimCLR by k-NN and by the probe (docs/benchmarks/methods.md).
constexpr int64_t kManyPhotos = 50'000;

// An encoder that sees each photo fewer times has hardly begun; a smaller one is then worth more.
constexpr double kEpochs = 20;
constexpr double kEpochsFromWeights = 5;  // they have seen other photos already
// Of very many photos no encoder sees each so often. After so many images it has begun all the same.
constexpr double kImagesInPlaceOfEpochs = 1e6;
constexpr double kEpochsMost = 800;  // the longest trainings of MAE's authors; what is left over is time saved

// Floating-point operations a second before anything was measured: a core without AVX-512 has done 32e9 and one with it
// 65e9 in the quick start (docs/benchmarks/quickstart.md); of a GPU a tenth of what its makers state.
constexpr double kCoreFlops = 3e10;
constexpr double kGpuFlops = 1e13;
constexpr double kGpuFlopsBfloat16 = 5e13;
constexpr double kPixelsPerSecond = 6e7;  // that a core decodes of JPEG files

// The rest of the time: two evaluations of the job, and two encoders looked at for the verdict.
constexpr double kLooks = 4;
constexpr double kVerdictSeconds = 10;  // its processes, exports and the report
// Of one core, for each photo that the linear probes are fitted to: those of raw pixels take nearly all of it. (8 s for
// 874 photos, 40 s for 3,068, 54 s for 5,000.)
constexpr double kProbeSecondsPerPhoto = 0.012;
constexpr int64_t kJudgedMost =
    5'000;  // photos of a set that evaluations look at; more make no number surer that counts
// However little time is left, a training has this share of it: then the verdict is late, and there is one.
constexpr double kTrainingShareLeast = 0.3;

constexpr int kLargePx = 1500;  // a side from which decoding takes most of the time

bool Continues(const Wishes& wishes) { return wishes.start.has_value(); }

int64_t TeacherParameters(const Wishes& wishes) { return wishes.teacher ? wishes.teacher->parameters : 0; }

int64_t Trained(const Survey& survey, const Wishes& wishes) {
  if (survey.held_out_images > 0) return survey.images - survey.held_out_images;
  return static_cast<int64_t>(std::llround(static_cast<double>(survey.images) * (1 - wishes.hold_out)));
}

int PhotoPx(const Survey& survey) {
  const int side = std::min(survey.width.median, survey.height.median);
  return side > 0 ? side : 224;  // nothing was decoded, so nothing is known
}

Method MethodFor(const Survey& survey, const Machine& machine, const Wishes& wishes) {
  if (wishes.teacher) return Method::kMimic;
  return survey.images >= kManyPhotos && machine.gpus > 0 ? Method::kMae : Method::kSimClr;
}

double AssumedFlops(const Machine& machine) {
  if (machine.gpus > 0) return machine.gpus * (machine.gpu_bfloat16 ? kGpuFlopsBfloat16 : kGpuFlops);
  return machine.cores * kCoreFlops;
}

// What one size comes to in the time.
struct Prospect {
  double images_per_second = 0;
  double training_seconds = 0;
  double epochs = 0;
  Gang gang;
};

struct Choosing {
  const Survey& survey;
  const Machine& machine;
  const Wishes& wishes;
  const Pace& pace;
  const Method method;
  const std::vector<Size> sizes;
};

double SecondsPerImage(const Choosing& choosing, double flops) {
  if (choosing.pace.flops_per_second > 0) return flops / choosing.pace.flops_per_second;
  const double pixels = double(choosing.survey.width.median) * choosing.survey.height.median;
  return flops / AssumedFlops(choosing.machine) + pixels / (kPixelsPerSecond * choosing.machine.cores);
}

Prospect Look(const Choosing& choosing, const Size& size) {
  const auto& [survey, machine, wishes, pace, method, sizes] = choosing;
  const int64_t trained = Trained(survey, wishes);
  Prospect prospect;
  prospect.images_per_second = 1 / SecondsPerImage(choosing, TrainingFlops(size, method, TeacherParameters(wishes)));
  const auto judged = static_cast<double>(std::min(survey.images, 2 * kJudgedMost));
  const double looked = kLooks * judged * SecondsPerImage(choosing, LookFlops(size));
  const double probed = survey.labelled > 0 ? static_cast<double>(std::min(trained, kJudgedMost)) : 0;
  const double verdict = kVerdictSeconds + kProbeSecondsPerPhoto * probed / machine.cores;
  const double total = 60 * wishes.minutes;
  prospect.training_seconds =
      std::max(kTrainingShareLeast * total, total - pace.spent_seconds - pace.start_seconds - verdict - looked);
  prospect.gang = ShareOut(size, method, trained, machine, wishes.ranks, TeacherParameters(wishes));
  prospect.epochs =
      std::min(kEpochsMost, prospect.training_seconds * prospect.images_per_second / static_cast<double>(trained));
  // At least one step.
  prospect.epochs = std::max(prospect.epochs, static_cast<double>(prospect.gang.batch) / static_cast<double>(trained));
  if (prospect.epochs >= 2) prospect.epochs = std::floor(prospect.epochs);
  return prospect;
}

bool IsEnough(const Choosing& choosing, const Size& size, const Prospect& prospect) {
  const double images = prospect.epochs * static_cast<double>(Trained(choosing.survey, choosing.wishes));
  const double epochs = Continues(choosing.wishes) ? kEpochsFromWeights : kEpochs;
  return prospect.gang.fits() && (prospect.epochs >= epochs || images >= kImagesInPlaceOfEpochs) &&
         images >= static_cast<double>(size.least_images);
}

// The largest size that is enough, or the first.
int BestSize(const Choosing& choosing) {
  const int count = std::min(static_cast<int>(choosing.sizes.size()), std::max(1, choosing.pace.sizes));
  for (int i = count - 1; i > 0; --i) {
    const Size& size = choosing.sizes[static_cast<size_t>(i)];
    if (IsEnough(choosing, size, Look(choosing, size))) return i;
  }
  return 0;
}

std::string SizeText(const Size& size) {
  return absl::StrFormat("%s at %d x %d px in patches of %d px", size.name, size.width_px, size.height_px,
                         size.patch_px);
}

std::string EpochsText(double epochs) {
  return epochs >= 2 ? absl::StrFormat("%.0f times", epochs) : absl::StrFormat("%.1f times", epochs);
}

std::string MethodReason(const Choosing& choosing) {
  const std::string photos = Grouped(Trained(choosing.survey, choosing.wishes));
  const std::string from =
      Continues(choosing.wishes) ? absl::StrCat(", from the weights in ", ToText(choosing.wishes.start->path)) : "";
  switch (choosing.method) {
    case Method::kMimic:
      return absl::StrCat("method: mimicking the teacher ", ToText(choosing.wishes.teacher->path),
                          " at visible patches", from,
                          "; where methods were compared, it was better by the probe than the teacher with pixels");
    case Method::kMae:
      return absl::StrCat("method: MAE", from, ", because ", photos, " photos and a GPU are what it was made for");
    case Method::kSimClr:
      return absl::StrCat("method: SimCLR", from, ", because on few photos it was the best without a teacher (here ",
                          photos, choosing.machine.gpus > 0 ? " photos)" : " photos, and no GPU)");
  }
  return "";
}

std::string SizeReason(const Choosing& choosing, int number, const Prospect& prospect) {
  const Size& size = choosing.sizes[static_cast<size_t>(number)];
  const std::string text = absl::StrCat("encoder: ", SizeText(size), ", ",
                                        absl::StrFormat("%.1f", static_cast<double>(size.parameters()) / 1e6),
                                        " million weights, which sees each photo ", EpochsText(prospect.epochs));
  if (number + 1 >= static_cast<int>(choosing.sizes.size())) return text;
  const Size& next = choosing.sizes[static_cast<size_t>(number) + 1];
  const Prospect larger = Look(choosing, next);
  if (!larger.gang.fits()) return absl::StrCat(text, "; the next larger (", SizeText(next), ") needs more memory");
  return absl::StrCat(text, "; the next larger (", SizeText(next), ") would see it ", EpochsText(larger.epochs),
                      ", which is too few for it");
}

std::string TimeReason(const Choosing& choosing, const Prospect& prospect) {
  const std::string rate = absl::StrFormat("%.0f images/s were %s", prospect.images_per_second,
                                           choosing.pace.images_per_second > 0 ? "measured" : "assumed, not measured");
  const std::string wanted = DurationText(60 * choosing.wishes.minutes);
  if (prospect.epochs >= kEpochsMost) {
    return absl::StrCat("time: ", rate, "; ", kEpochsMost, " epochs are the most that is worth it, so it ends before ",
                        wanted);
  }
  return absl::StrCat("time: ", rate, ", and of ", wanted, " ", DurationText(prospect.training_seconds),
                      " are for training; the rest is for the start, two evaluations and the verdict");
}

std::string GangReason(const Choosing& choosing, const Gang& gang) {
  const std::string large = std::max(choosing.survey.width.median, choosing.survey.height.median) >= kLargePx
                                ? "; photos this large are mostly decoded: copies of 500 px would train faster"
                                : "";
  return absl::StrCat("machine: ", MachineText(choosing.machine), ": ", Counted(gang.ranks, "worker"), " with ",
                      Counted(gang.threads, "thread"), gang.ranks == 1 ? "" : " each", large);
}

std::string BatchReason(const Size& size, const Gang& gang) {
  return absl::StrFormat("batch: %d photos a step, learning rate %.2g at its highest (AdamW)", gang.batch,
                         size.peak_rate);
}

}  // namespace

std::string TeacherName(const std::string& path) {
  std::filesystem::path file(path);
  if (!file.has_filename()) file = file.parent_path();  // "weights/dinov2/"
  std::string name = file.extension() == ".safetensors" ? file.stem().string() : file.filename().string();
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '_';
  }
  constexpr size_t kNameBytes = 64;  // as job/objective_checks.cc
  return name.empty() || name == "." || name == ".." ? "large_encoder" : name.substr(0, kNameBytes);
}

double HoldOutShare(int64_t images, double asked) {
  if (asked >= 0) return asked;
  const double wanted = kHeldOutWanted / static_cast<double>(std::max<int64_t>(images, 1));
  return std::round(100 * std::clamp(wanted, kHoldOut, kHoldOutMost)) / 100;
}

absl::Status CheckPhotos(const Survey& survey) {
  const std::string photos = absl::StrCat("--data ", ToText(survey.path), ": ", Grouped(survey.images),
                                          survey.images == 1 ? " photo" : " photos");
  if (survey.images < kPhotosLeast) {
    return absl::InvalidArgumentError(
        absl::StrCat(photos, "; at least ", kPhotosLeast, " are needed to learn something from them and to judge it"));
  }
  if (survey.looked_at > 0 && 2 * survey.undecodable > survey.looked_at) {
    return absl::InvalidArgumentError(absl::StrCat(photos, ", and ", survey.undecodable, " of the ", survey.looked_at,
                                                   " that were tried cannot be decoded; remove them first"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Choice> Choose(const Survey& survey, const Machine& machine, const Wishes& wishes, const Pace& pace) {
  RETURN_IF_ERROR(CheckPhotos(survey));
  const int photo_px = PhotoPx(survey);
  const Choosing choosing{survey,
                          machine,
                          wishes,
                          pace,
                          MethodFor(survey, machine, wishes),
                          wishes.start ? SizesFor(*wishes.start, photo_px) : Ladder(photo_px)};
  Choice choice;
  choice.method = choosing.method;
  choice.size_number = BestSize(choosing);
  choice.size = choosing.sizes[static_cast<size_t>(choice.size_number)];
  const Prospect prospect = Look(choosing, choice.size);
  const Gang& gang = prospect.gang;
  if (!gang.fits()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s needs %.1f GB of memory for each of %s, and %.1f GB of this machine's can be used: %s",
                        SizeText(choice.size), gang.rank_bytes / 1e9, Counted(gang.ranks, "worker"),
                        std::max<int64_t>(gang.memory_bytes, 0) / 1e9, MachineText(machine)));
  }
  choice.image_flops = TrainingFlops(choice.size, choice.method, TeacherParameters(wishes));
  choice.images_per_second = prospect.images_per_second;
  choice.epochs = prospect.epochs;
  choice.spec = ChosenSpec({survey, machine, wishes, choice.method, choice.size, gang, prospect.epochs,
                            prospect.images_per_second, kJudgedMost});
  choice.reasons = {MethodReason(choosing), SizeReason(choosing, choice.size_number, prospect),
                    BatchReason(choice.size, gang), TimeReason(choosing, prospect), GangReason(choosing, gang)};
  return choice;
}

}  // namespace mimeo
