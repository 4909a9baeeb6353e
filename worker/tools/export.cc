#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/output.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "evaluation/checkpoint_job.h"
#include "model/weights.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  std::string checkpoint;
  std::string to;
  std::string out;
  std::string dtype = "fp32";
  bool average = false;
  int threads = 0;
};

// A checkpoint of Mimeo, or an encoder in any layout that LoadEncoder reads.
absl::StatusOr<EncoderCheckpoint> Open(const std::string& path, std::unique_ptr<SafetensorsFile>* file) {
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> opened = SafetensorsFile::Open(path);
  if (opened.ok() && (*opened)->view().metadata().count("job") > 0) {
    *file = *std::move(opened);
    EncoderCheckpoint checkpoint;
    ASSIGN_OR_RETURN(checkpoint.spec, JobOfCheckpoint((*file)->view(), path));
    ASSIGN_OR_RETURN(checkpoint.tensors, ReadTensors((*file)->view()));
    if (checkpoint.tensors.count("encoder.norm.weight") > 0) {
      return checkpoint;  // Mimeo's names; exports keep the job too
    }
  }
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(path));
  return CheckpointOf(loaded);
}

// The average of the encoder's weights in the encoder's place, and nothing beside it.
absl::Status TakeAverage(const std::string& path, EncoderCheckpoint* checkpoint) {
  NamedTensors average;
  for (const auto& [name, tensor] : checkpoint->tensors) {
    absl::string_view rest = name;
    if (absl::ConsumePrefix(&rest, "ema.") && absl::StartsWith(rest, "encoder.")) average[std::string(rest)] = tensor;
  }
  if (average.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": holds no average of the encoder's weights; a job keeps one with ema { decay: 0.9999 }"));
  }
  checkpoint->tensors = std::move(average);
  return absl::OkStatus();
}

absl::Status Export(const Flags& flags) {
  const bool whole_model = flags.to == "safetensors";
  const std::string out = whole_model && IsDirectory(flags.out) ? JoinPath(flags.out, "model.safetensors") : flags.out;
  RETURN_IF_ERROR(whole_model ? CheckOutputFile("--out", out) : CheckOutputFolder("--out", out));
  std::unique_ptr<SafetensorsFile> file;  // the tensors look into it
  ASSIGN_OR_RETURN(EncoderCheckpoint checkpoint, Open(flags.checkpoint, &file));
  if (flags.average) RETURN_IF_ERROR(TakeAverage(flags.checkpoint, &checkpoint));
  const ExportedType type = flags.dtype == "bf16" ? ExportedType::kBFloat16 : ExportedType::kFloat32;
  if (whole_model) return ExportSafetensors(checkpoint.tensors, checkpoint.spec, out, type);
  ASSIGN_OR_RETURN(const WeightsLayout layout, ParseWeightsLayout(flags.to, checkpoint.spec.encoder()));
  return ExportEncoder(layout, checkpoint.tensors, checkpoint.spec, out, type);
}

}  // namespace

int RunExport(int argc, char** argv) {
  Flags flags;
  std::vector<std::string> layouts = WeightsLayoutNames();
  layouts.insert(layouts.begin(), {"hf", "safetensors"});
  CLI::App app("An encoder, or the whole model, out of a checkpoint; or an encoder's weights file in another layout.",
               "export");
  app.add_option("--checkpoint", flags.checkpoint,
                 "A checkpoint.safetensors of Mimeo, or any weights file that embed takes")
      ->required();
  app.add_option("--to", flags.to,
                 "hf: a folder that transformers.AutoModel loads, in the layout that holds the encoder; safetensors: "
                 "the whole model under "
                 "Mimeo's names; or a layout by name")
      ->required()
      ->check(CLI::IsMember(layouts));
  app.add_option("--out", flags.out, "The folder to write; with safetensors, the file")->required();
  app.add_option("--dtype", flags.dtype, "What weights are stored as: fp32 (default), or bf16, half as large")
      ->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_flag("--average", flags.average, "The moving average of the encoder's weights in place of the encoder");
  app.footer("Example:\n  worker export --checkpoint=out/checkpoint.safetensors --to=hf --out=encoder");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Export(flags); });
}

}  // namespace mimeo
