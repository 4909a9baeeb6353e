#include "client/commands/commands.h"
#include "client/plan/plan_command.h"

namespace mimeo {

void AddPlan(CLI::App* app, Invocation* invocation) {
  CLI::App* verb = AddVerb(app, "plan", "What a recipe costs before it starts: steps, memory, disk, hours",
                           "mimeo plan recipes/mae_s.textproto --data photos --workers 2");
  auto flags = std::make_shared<PlanFlags>();
  auto seconds = std::make_shared<double>(10);
  auto no_probe = std::make_shared<bool>(false);
  verb->add_option("RECIPE", flags->run.recipe, "text proto of the job")->required();
  verb->add_option("--data", flags->run.data,
                   "images: a folder, class folders, or .tar shards (over the recipe's data.path)");
  verb->add_option("--workers", flags->run.workers, "rank processes (over the recipe's resources.num_ranks)")
      ->check(CLI::Range(1, 64));
  verb->add_option("--set", flags->run.sets,
                   "FIELD=VALUE of the recipe, e.g. schedule.epochs=3; FIELD= takes one out; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--teacher", flags->run.teachers,
                   "NAME=WEIGHTS of a teacher that the recipe mimics; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--init", flags->run.init, "encoder weights to start from");
  AddText(verb, "--device", &flags->device,
          "estimate for such GPUs: a10, a100, a100_40gb, a40, b200, h100, h200, l4, l40s or rtx4090");
  verb->add_flag("--no_probe", *no_probe, "train no steps here to measure");
  verb->add_option("--probe_seconds", *seconds, "how long steps are measured (default 10)")
      ->check(CLI::Range(1.0, 600.0));
  // The plan is for a cluster only where somebody named one: --server has a default.
  const CLI::Option* server = app->get_option_no_throw("--server");
  verb->callback([flags, seconds, no_probe, server, invocation] {
    flags->probe = !*no_probe;
    flags->budget = absl::Seconds(*seconds);
    invocation->run = [flags, server, invocation] {
      flags->run.json = invocation->json();
      flags->run.channels = invocation->channels;
      const bool named = server != nullptr && server->count() > 0;
      if (named && flags->device.empty()) flags->server = invocation->server;
      return PlanCommandMain(*flags);
    };
  });
}

}  // namespace mimeo
