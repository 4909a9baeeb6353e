// The views that a job's loader gives, to feed another program the very same: OUT/view<v>.bin, uint8, (steps, B, C, H,
// W), of a gang of one.
//
//   bazel run //data:write_views -- --recipe=tests/known_answers/dino.textproto --data=IMAGES --steps=400 --out=OUT
//   [--set=seed=3]...
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

struct Flags {
  std::string recipe, data, out;
  int64_t steps = 1;
  std::vector<std::string> sets;
};

absl::Status Write(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(flags.recipe));
  ASSIGN_OR_RETURN(JobSpec spec, ParseRecipe(text, flags.recipe));
  for (const std::string& set : flags.sets) RETURN_IF_ERROR(SetField(set, &spec));
  spec.mutable_data()->set_path(flags.data);
  spec.mutable_evaluation()->Clear();
  spec.mutable_resources()->set_num_ranks(1);
  ASSIGN_OR_RETURN(spec, ResolveJobSpec(spec));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(flags.data));
  // One batch a step, however many micro-batches the job makes of it.
  spec.mutable_data()->clear_contrast_group();
  spec.mutable_resources()->clear_micro_batch();
  Loader::Options options;
  options.last_step_batches = flags.steps;
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, Loader::Open(dataset.get(), spec, options));
  RETURN_IF_ERROR(MakeDirs(flags.out));
  std::vector<std::ofstream> files;
  for (int64_t step = 0; step < flags.steps; ++step) {
    ASSIGN_OR_RETURN(const Batch batch, loader->Next());
    if (!batch.complete) {
      return absl::DataLossError(absl::StrCat("step ", step, ": ", batch.bad_samples.size(), " bad samples"));
    }
    for (size_t v = 0; v < batch.views_BCHW.size(); ++v) {
      if (files.size() <= v) files.emplace_back(JoinPath(flags.out, absl::StrCat("view", v, ".bin")), std::ios::binary);
      const at::Tensor bytes = batch.views_BCHW[v].contiguous();
      files[v].write(static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::streamsize>(bytes.nbytes()));
    }
  }
  for (std::ofstream& file : files) {
    if (!file.flush()) return absl::UnavailableError(absl::StrCat(flags.out, ": not all bytes could be written"));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::Flags flags;
  CLI::App app{"Writes the views that a job's loader gives."};
  app.add_option("--recipe", flags.recipe, "text proto of a job")->required();
  app.add_option("--data", flags.data, "images")->required();
  app.add_option("--out", flags.out, "folder")->required();
  app.add_option("--steps", flags.steps, "how many")->check(CLI::Range(1, 1000000));
  app.add_option("--set", flags.sets, "FIELD=VALUE of the recipe")->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = mimeo::Write(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "write_views: %s\n", status.ToString().c_str());
  return 1;
}
