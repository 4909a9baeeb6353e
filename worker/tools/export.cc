#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "model/weights.h"
#include "worker/tools/checkpoint_job.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  std::string checkpoint;
  std::string to;
  std::string out;
  int threads = 0;
};

absl::Status Export(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(flags.checkpoint));
  ASSIGN_OR_RETURN(const JobSpec spec, JobOfCheckpoint(file->view(), flags.checkpoint));
  ASSIGN_OR_RETURN(const NamedTensors tensors, ReadTensors(file->view()));
  if (flags.to == "hf") return ExportHfVit(tensors, spec, flags.out);
  const std::string out = IsDirectory(flags.out) ? JoinPath(flags.out, "model.safetensors") : flags.out;
  return ExportSafetensors(tensors, spec, out);
}

}  // namespace

int RunExport(int argc, char** argv) {
  Flags flags;
  CLI::App app("An encoder, or the whole model, out of a checkpoint.", "export");
  app.add_option("--checkpoint", flags.checkpoint, "A checkpoint.safetensors of Mimeo")->required();
  app.add_option("--to", flags.to,
                 "hf: a folder that transformers.AutoModel loads; safetensors: the whole model under Mimeo's names")
      ->required()
      ->check(CLI::IsMember({"hf", "safetensors"}));
  app.add_option("--out", flags.out, "The folder (hf) or file (safetensors) to write")->required();
  app.footer("Example:\n  worker export --checkpoint=out/checkpoint.safetensors --to=hf --out=encoder");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Export(flags); });
}

}  // namespace mimeo
