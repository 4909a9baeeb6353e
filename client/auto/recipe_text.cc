#include "client/auto/recipe_text.h"

#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/text.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

struct Block {
  std::string why;
  std::function<void(const JobSpec& from, JobSpec* to)> take;
};

std::string MethodWhy(const JobSpec& spec) {
  if (spec.objective_size() > 0 && spec.objective(0).has_mimic()) {
    return absl::StrCat("What is learned: the tokens of visible patches become the teacher's. Run it with --teacher ",
                        spec.objective(0).mimic().teacher(), "=WEIGHTS.");
  }
  if (spec.objective_size() > 0 && spec.objective(0).has_contrastive()) {
    return "What is learned: two views of a photo are found to be the same one among those of the batch (SimCLR).";
  }
  return "What is learned: the pixels of the hidden patches (MAE).";
}

std::string DataWhy(const JobSpec& spec) {
  return absl::StrCat("The photos, the size to which a crop of each is scaled, and how many make a step.",
                      spec.data().channels() == 1 ? " They are grey, so they have one channel." : "",
                      spec.data().pixel_mean_size() > 0 ? " Pixels are normalised as the weights want it." : "");
}

std::string EvaluationWhy(const JobSpec& spec) {
  return spec.evaluation().has_path()
             ? "The photos that judge. Their classes should be those of the data."
             : "The share of the photos that is never trained on, and judges. Equal photos stay on one side.";
}

std::vector<Block> Blocks(const JobSpec& spec) {
  return {
      {"",
       [](const JobSpec& from, JobSpec* to) {
         to->set_name(from.name());
         to->set_seed(from.seed());
       }},
      {DataWhy(spec), [](const JobSpec& from, JobSpec* to) { *to->mutable_data() = from.data(); }},
      {"How each photo is changed before it is looked at; crops and flips are the defaults.",
       [](const JobSpec& from, JobSpec* to) { *to->mutable_views() = from.views(); }},
      {"Which patches the encoder sees of it.",
       [](const JobSpec& from, JobSpec* to) {
         if (from.has_mask()) *to->mutable_mask() = from.mask();
       }},
      {"The encoder: what all this is for.",
       [](const JobSpec& from, JobSpec* to) {
         if (from.has_encoder()) *to->mutable_encoder() = from.encoder();
       }},
      {"The weights that it starts from.",
       [](const JobSpec& from, JobSpec* to) {
         if (from.has_init_weights()) to->set_init_weights(from.init_weights());
       }},
      {MethodWhy(spec), [](const JobSpec& from, JobSpec* to) { *to->mutable_objective() = from.objective(); }},
      {"The learning rate, per 256 images of a batch.",
       [](const JobSpec& from, JobSpec* to) { *to->mutable_optimizer() = from.optimizer(); }},
      {"How often each photo is seen. More is better, as long as there is time.",
       [](const JobSpec& from, JobSpec* to) { *to->mutable_schedule() = from.schedule(); }},
      {"About one a minute: what a power cut loses.",
       [](const JobSpec& from, JobSpec* to) { *to->mutable_checkpoint() = from.checkpoint(); }},
      {EvaluationWhy(spec), [](const JobSpec& from, JobSpec* to) { *to->mutable_evaluation() = from.evaluation(); }},
      {"The processes that train it together.",
       [](const JobSpec& from, JobSpec* to) { *to->mutable_resources() = from.resources(); }},
  };
}

}  // namespace

std::string ChosenRecipeText(const Choice& choice, const std::string& command) {
  std::string text = absl::StrCat("# Chosen by: ", ToText(command), "\n#\n");
  for (const std::string& reason : choice.reasons) {
    for (const absl::string_view line : absl::StrSplit(ToText(reason), '\n')) absl::StrAppend(&text, "# ", line, "\n");
  }
  absl::StrAppend(&text,
                  "#\n# Change what you like. docs/auto.md says how it was chosen, proto/job.proto what every field "
                  "means.\n");
  for (const Block& block : Blocks(choice.spec)) {
    JobSpec part;
    block.take(choice.spec, &part);
    const std::string fields = JobSpecText(part);
    if (fields.empty()) continue;
    absl::StrAppend(&text, "\n", block.why.empty() ? "" : absl::StrCat("# ", block.why, "\n"), fields);
  }
  return text;
}

}  // namespace mimeo
