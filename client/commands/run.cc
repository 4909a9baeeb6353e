#include "client/commands/commands.h"
#include "client/run/run_command.h"

namespace mimeo {

void AddRun(CLI::App* app, Invocation* invocation) {
  CLI::App* verb =
      AddVerb(app, "run",
              "Train on this machine, coordinator, workers and teachers included: a recipe, or what is chosen for "
              "--data, with a verdict at the end",
              "mimeo run --data photos --out out/mine\n"
              "  mimeo run recipes/mae_b.textproto --data photos --out out/mae --workers 2 --set schedule.epochs=3");
  auto flags = std::make_shared<RunFlags>();
  verb->add_option("RECIPE", flags->recipe,
                   "text proto of the job; without one it is chosen for --data (docs/auto.md)");
  verb->add_option("--data", flags->data,
                   "images: a folder, class folders, or .tar shards (over the recipe's data.path)");
  verb->add_option(
          "--out", flags->out,
          "folder of the results; the same command continues an unfinished run, and a longer schedule a finished one")
      ->required();
  verb->add_option("--workers", flags->workers, "rank processes (over the recipe's resources.num_ranks)")
      ->check(CLI::Range(1, 64));
  verb->add_option("--set", flags->sets,
                   "FIELD=VALUE of the recipe, e.g. schedule.epochs=3; FIELD= takes one out; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--teacher", flags->teachers, "NAME=WEIGHTS of a teacher that the recipe mimics; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--init", flags->init, "encoder weights to start from");
  AddChoiceFlags(verb, flags.get());
  AddEvaluationFlags(verb, &flags->evaluation);
  verb->add_option("--tensorboard", flags->tensorboard,
                   "folder of files that TensorBoard reads, written while it runs");
  verb->callback([flags, invocation] {
    invocation->run = [flags, invocation] {
      flags->json = invocation->json();
      flags->channels = invocation->channels;
      return RunCommandMain(*flags);
    };
  });
}

}  // namespace mimeo
