#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/output.h"
#include "base/print.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/download.h"
#include "client/evaluation_text.h"
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

// Runs `worker ARGS...` and returns its exit code. What it writes is printed as it comes; with `answer`, what it writes
// to stdout is put there instead. Of a temporary file among the arguments it writes by the name that a person knows:
// `renamed` has its path and that name.
int RunWorker(std::vector<std::string> args, std::string* answer = nullptr,
              const std::pair<std::string, std::string>& renamed = {}) {
  const auto binary = FindBinary("worker");
  if (!binary.ok()) return Failed(binary.status());
  const std::string tool = absl::StrCat("worker ", args[0]);
  args.insert(args.begin(), *binary);
  Subprocess::Options options;
  options.argv = std::move(args);
  options.own_group = false;  // Ctrl-C reaches it too
  PrintedLines out(stdout), errors(stderr);
  for (PrintedLines* lines : {&out, &errors}) lines->Rename(renamed.first, renamed.second);
  options.on_stdout = [&](absl::string_view piece) {
    if (answer == nullptr) return out.Add(piece);
    answer->append(piece.data(), piece.size());
  };
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
  return RunWorker(args, nullptr, {file, name});
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

using Flags = std::vector<std::pair<std::string, std::string>>;  // a name and its help

// A verb whose flags are the worker's.
struct WorkerVerb {
  std::string name;  // as the worker calls it
  Flags required;
  Flags optional;
  Flags switches;  // they take no value
  Flags repeated;  // may be given more than once
};

// Adds the flags to `verb`. The function that is returned makes the worker's command line of those that were given.
std::function<std::vector<std::string>()> AddWorkerFlags(CLI::App* verb, const WorkerVerb& worker) {
  auto values = std::make_shared<std::map<std::string, std::string>>();
  auto flags = std::make_shared<std::map<std::string, bool>>();
  auto lists = std::make_shared<std::map<std::string, std::vector<std::string>>>();
  for (const auto& [name, help] : worker.required) verb->add_option("--" + name, (*values)[name], help)->required();
  for (const auto& [name, help] : worker.optional) verb->add_option("--" + name, (*values)[name], help);
  for (const auto& [name, help] : worker.switches) verb->add_flag("--" + name, (*flags)[name], help);
  for (const auto& [name, help] : worker.repeated) {
    verb->add_option("--" + name, (*lists)[name], help)->allow_extra_args(false);
  }
  return [=, name = worker.name] {
    std::vector<std::string> args = {name};
    for (const auto& [flag, value] : *values) {
      if (!value.empty()) args.insert(args.end(), {"--" + flag, value});
    }
    for (const auto& [flag, list] : *lists) {
      for (const std::string& value : list) args.insert(args.end(), {"--" + flag, value});
    }
    for (const auto& [flag, on] : *flags) {
      if (on) args.push_back("--" + flag);
    }
    return args;
  };
}

void AddWorkerVerb(CLI::App* verb, Invocation* invocation, const WorkerVerb& worker) {
  const auto args = AddWorkerFlags(verb, worker);
  verb->callback([=] { invocation->run = [=] { return RunWorker(args()); }; });
}

// The worker's answer is JSON; it is printed as that, or as tables.
int PrintEvaluation(const Invocation& invocation, const std::string& verb, const std::vector<std::string>& args) {
  std::string answer;
  const int code = RunWorker(args, &answer);
  if (code != 0) return code;
  if (invocation.json()) {
    Print(stdout, answer);
    return Ended(Printed(stdout));
  }
  const absl::StatusOr<std::string> text = EvaluationText(verb, answer);
  if (!text.ok()) return Failed(text.status());
  Print(stdout, *text);
  return Ended(Printed(stdout));
}

// Of the run that `mimeo run --help` has as its example, and class folders.
std::string EvaluationExample(const std::string& name, const std::string& judged) {
  return absl::StrCat("mimeo evaluate ", name, " --weights out/mine/encoder --data photos ", judged);
}

// One of `mimeo evaluate`. All of them take an encoder and labelled images.
void AddEvaluation(CLI::App* evaluate, Invocation* invocation, const std::string& name, const std::string& does,
                   const std::string& judged, WorkerVerb worker) {
  CLI::App* const verb = AddVerb(evaluate, name, does, EvaluationExample(name, judged));
  worker.name = name;
  worker.required = {{"weights", "weights file, or a folder with model.safetensors"},
                     {"data", "labelled images to classify"}};
  const Flags common = {
      {"bank", "labelled images to classify by (default: DATA/train, and DATA/validation is classified)"},
      {"hold_out", "without a bank: classify this share of DATA by the rest, as a job's evaluation.hold_out"},
      {"members", "of a tar's samples the images of this name, as a job's data.members"},
      {"max_images", "of either set"},
      {"image_px", "side of a square crop (default: the encoder's own size)"},
      {"batch", "images at a time"},
      {"threads", "compute threads"}};
  worker.optional.insert(worker.optional.begin(), common.begin(), common.end());
  const auto args = AddWorkerFlags(verb, worker);
  verb->callback([=] { invocation->run = [=] { return PrintEvaluation(*invocation, name, args()); }; });
}

void AddEvaluate(CLI::App* app, Invocation* invocation) {
  const std::string a_tenth = "--hold_out 0.1";
  CLI::App* evaluate =
      AddVerb(app, "evaluate", "How good an encoder's features are", EvaluationExample("knn", a_tenth));
  evaluate->require_subcommand(1);
  WorkerVerb knn;
  knn.optional = {{"k", "neighbours"}, {"temperature", "a neighbour votes exp(similarity / temperature)"}};
  AddEvaluation(evaluate, invocation, "knn", "Accuracy of k nearest neighbours", a_tenth, knn);
  AddEvaluation(evaluate, invocation, "linear", "Accuracy of a linear probe", a_tenth, {});
  WorkerVerb compare;
  compare.optional = {{"job", "recipe of the job: what it started from is compared too"}};
  compare.repeated = {{"against", "NAME=WEIGHTS of another encoder; may be repeated"}};
  AddEvaluation(evaluate, invocation, "compare", "An encoder beside its start, raw pixels and other encoders",
                "--job out/mine/job.textproto", compare);
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

  WorkerVerb embed = {"embed",
                      {{"weights", "weights file, or a folder with model.safetensors"},
                       {"images", "folder, tar, or folder of tars"},
                       {"out", "file to write: .safetensors, or .npy for NumPy and scikit-learn"}},
                      {{"feature", "of .npy: patch_mean (default), or class_token"},
                       {"image_px", "side of a square crop (default: the encoder's own size)"},
                       {"batch", "images at a time"},
                       {"threads", "compute threads"}},
                      {{"tokens", "every patch's token too"}},
                      {}};
  AddWorkerVerb(AddVerb(app, "embed", "Features of images, with labels and names",
                        "mimeo embed --weights out/mine/encoder --images photos --out features.safetensors"),
                invocation, embed);
  WorkerVerb reconstruct = {"reconstruct",
                            {{"weights", "a checkpoint.safetensors of Mimeo"},
                             {"images", "folder, tar, or folder of tars"},
                             {"out", "folder to write PNGs to"}},
                            {{"count", "how many images"}, {"seed", "of the masks"}},
                            {},
                            {}};
  AddWorkerVerb(AddVerb(app, "reconstruct", "Image, what the encoder sees, and the reconstruction, as PNG",
                        "mimeo reconstruct --weights out/mae/checkpoint.safetensors --images photos --out pngs"),
                invocation, reconstruct);
  AddEvaluate(app, invocation);
}

}  // namespace mimeo
