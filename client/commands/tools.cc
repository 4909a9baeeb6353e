#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/output.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/download.h"
#include "client/exit_code.h"
#include "client/print.h"

namespace mimeo {
namespace {

constexpr absl::Duration kLongestTool = absl::Hours(24 * 30);

// Whatever its code: it is not the request that was wrong.
int Failed(const absl::Status& status) {
  PrintError(status);
  return kFailed;
}

// Runs `worker ARGS...` and prints what it writes, as it comes; its exit code. Of a temporary file among the arguments
// it writes by the name that a person knows: `renamed` has its path and that name.
int RunWorker(std::vector<std::string> args, const std::pair<std::string, std::string>& renamed = {}) {
  const auto binary = FindBinary("worker");
  if (!binary.ok()) return Failed(binary.status());
  const std::string tool = absl::StrCat("worker ", args[0]);
  args.insert(args.begin(), *binary);
  Subprocess::Options options;
  options.argv = std::move(args);
  options.own_group = false;  // Ctrl-C reaches it too
  PrintedLines out(stdout), errors(stderr);
  for (PrintedLines* lines : {&out, &errors}) lines->Rename(renamed.first, renamed.second);
  options.on_stdout = [&](absl::string_view piece) { out.Add(piece); };
  options.on_stderr = [&](absl::string_view piece) { errors.Add(piece); };
  const auto worker = Subprocess::Start(options);
  if (!worker.ok()) return Failed(worker.status());
  const auto ended = (*worker)->Wait(Clock::Real()->Now() + kLongestTool);
  if (!ended.ok()) return Failed(ended.status());
  if (ended->signal != 0) return Failed(absl::InternalError(absl::StrCat(tool, " ", ended->ToString())));
  return ended->code;
}

struct ExportFlags {
  std::string source, to = "hf", out, dtype = "fp32";
  int64_t step = 0;
  bool average = false;
};

absl::Status CheckExportOut(const ExportFlags& flags) {
  const bool is_file = flags.to == "safetensors" && !IsDirectory(flags.out);
  return is_file ? CheckOutputFile("--out", flags.out) : CheckOutputFolder("--out", flags.out);
}

int ExportFile(const ExportFlags& flags, const std::string& file, const std::string& name) {
  std::vector<std::string> args = {"export", "--checkpoint", file,      "--to",     flags.to,
                                   "--out",  flags.out,      "--dtype", flags.dtype};
  if (flags.average) args.push_back("--average");
  return RunWorker(args, {file, name});
}

int Export(const Invocation& invocation, const ExportFlags& flags) {
  if (FileExists(flags.source) && flags.step != 0) {
    return Ended(absl::InvalidArgumentError(absl::StrCat("--step ", flags.step, ": ", flags.source,
                                                         " is a file; only a job has checkpoints to choose from")));
  }
  if (FileExists(flags.source)) return ExportFile(flags, flags.source, flags.source);
  if (!IsUtf8(flags.source)) {
    return Ended(absl::InvalidArgumentError(
        absl::StrCat("SOURCE: there is no file \"", ToText(flags.source), "\", and no job has such an id")));
  }
  // A checkpoint of some gigabytes is on its way for minutes.
  absl::Status status = CheckTemporaryFolder();
  if (status.ok()) status = CheckExportOut(flags);
  if (!status.ok()) return Ended(status);
  const TempDir dir;
  const std::string file = JoinPath(dir.path(), "checkpoint.safetensors");
  const std::string name = absl::StrCat("the checkpoint of ", flags.source);
  status = DownloadCheckpointFile(invocation.channels, invocation.server, flags.source, flags.step, file);
  if (absl::IsNotFound(status)) {
    status = absl::NotFoundError(
        absl::StrCat(flags.source, " is neither a file nor a job with a checkpoint: ", status.message()));
  }
  status = Renamed(Explained(status, invocation.server), file, name);
  if (!status.ok()) return Ended(status);
  return ExportFile(flags, file, name);
}

// A verb whose flags are the worker's: `required` and `optional` name them, `switches` take no value.
void AddWorkerVerb(CLI::App* verb, Invocation* invocation, const std::string& worker_verb,
                   const std::vector<std::pair<std::string, std::string>>& required,
                   const std::vector<std::pair<std::string, std::string>>& optional,
                   const std::vector<std::pair<std::string, std::string>>& switches) {
  auto values = std::make_shared<std::map<std::string, std::string>>();
  auto flags = std::make_shared<std::map<std::string, bool>>();
  for (const auto& [name, help] : required) verb->add_option("--" + name, (*values)[name], help)->required();
  for (const auto& [name, help] : optional) verb->add_option("--" + name, (*values)[name], help);
  for (const auto& [name, help] : switches) verb->add_flag("--" + name, (*flags)[name], help);
  verb->callback([=] {
    invocation->run = [=] {
      std::vector<std::string> args = {worker_verb};
      for (const auto& [name, value] : *values) {
        if (!value.empty()) args.insert(args.end(), {"--" + name, value});
      }
      for (const auto& [name, on] : *flags) {
        if (on) args.push_back("--" + name);
      }
      return RunWorker(args);
    };
  });
}

}  // namespace

void AddToolVerbs(CLI::App* app, Invocation* invocation) {
  CLI::App* exports = AddVerb(app, "export", "An encoder out of a job's checkpoint, or out of a checkpoint file",
                              "mimeo export j1 --to hf --out out/encoder");
  auto flags = std::make_shared<ExportFlags>();
  exports
      ->add_option("SOURCE", flags->source,
                   "a job's id, a checkpoint.safetensors, or an encoder's weights in any layout")
      ->required();
  exports
      ->add_option("--to", flags->to,
                   "hf: a folder for transformers; safetensors: the whole model in one file; or a layout by name")
      ->check(CLI::IsMember({"hf", "safetensors", "hf-vit", "hf-vit-mae", "hf-dinov2", "hf-clip", "timm", "mae",
                             "dinov2", "openai-clip", "mcmae"}));
  exports->add_option("--out", flags->out, "the folder or file to write")->required();
  exports->add_option("--step", flags->step, "of the checkpoint (default: the newest)")->check(CLI::PositiveNumber);
  exports->add_option("--dtype", flags->dtype, "what weights are stored as: fp32, or bf16, half as large")
      ->check(CLI::IsMember({"fp32", "bf16"}));
  exports->add_flag("--average", flags->average,
                    "the moving average of the encoder's weights (ema) in place of the encoder");
  exports->callback(
      [flags, invocation] { invocation->run = [flags, invocation] { return Export(*invocation, *flags); }; });

  AddWorkerVerb(AddVerb(app, "embed", "Features of images by any supported encoder, unmasked",
                        "mimeo embed --weights out/mae/encoder --images photos --out features.safetensors"),
                invocation, "embed",
                {{"weights", "weights file, or a folder with model.safetensors"},
                 {"images", "folder, tar, or folder of tars"},
                 {"out", "safetensors file to write"}},
                {{"batch", "images at a time"}, {"threads", "compute threads"}},
                {{"tokens", "every patch's token too"}});
  AddWorkerVerb(AddVerb(app, "reconstruct", "Image, what the encoder sees, and the reconstruction, as PNG",
                        "mimeo reconstruct --weights out/mae/checkpoint.safetensors --images photos --out pngs"),
                invocation, "reconstruct",
                {{"weights", "a checkpoint.safetensors of Mimeo"},
                 {"images", "folder, tar, or folder of tars"},
                 {"out", "folder to write PNGs to"}},
                {{"count", "how many images"}, {"seed", "of the masks"}}, {});
  CLI::App* evaluate = app->add_subcommand("evaluate", "How good an encoder's features are");
  evaluate->require_subcommand(1);
  AddWorkerVerb(
      AddVerb(evaluate, "knn", "Accuracy of k nearest neighbours, as one JSON object",
              "mimeo evaluate knn --weights out/mae/encoder --data photos/validation --bank photos/train"),
      invocation, "knn",
      {{"weights", "weights file, or a folder with model.safetensors"}, {"data", "labelled images to classify"}},
      {{"bank", "labelled images that vote (default: DATA/train, and DATA/validation is classified)"},
       {"k", "neighbours"},
       {"temperature", "a neighbour votes exp(similarity / temperature)"},
       {"max_images", "of either set"}},
      {});
  AddWorkerVerb(
      AddVerb(evaluate, "linear", "Accuracy of a linear probe, as one JSON object",
              "mimeo evaluate linear --weights out/mae/encoder --data photos/validation --bank photos/train"),
      invocation, "linear",
      {{"weights", "weights file, or a folder with model.safetensors"}, {"data", "labelled images to classify"}},
      {{"bank", "labelled images to learn from (default: DATA/train, and DATA/validation is classified)"},
       {"max_images", "of either set"}},
      {});
}

}  // namespace mimeo
