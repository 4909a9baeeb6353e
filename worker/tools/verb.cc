#include "worker/tools/verb.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/json_text.h"
#include "base/print.h"
#include "base/process.h"
#include "base/text.h"
#include "model/catch_torch.h"
#include "model/compute_settings.h"

namespace mimeo {

int RunVerb(CLI::App* app, int argc, char** argv, const int* threads, const std::function<absl::Status()>& body) {
  if (const auto code = ParseCommandLine(app, argc, argv); code.has_value()) return *code;
  StartPlainLogging(app->get_name());
  const absl::Status status = CatchTorch([&] {
    SetUpCompute(*threads > 0 ? *threads : at::get_num_threads());
    const absl::Status done = body();
    return done.ok() ? Printed(stdout) : done;
  });
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", app->get_name().c_str(), ToLines(status.message()).c_str());
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsPermissionDenied(status) ? 2 : 1;
}

void PrintResult(const nlohmann::ordered_json& result) { Print(stdout, JsonText(result) + "\n"); }

std::function<void(int64_t done, int64_t of)> ProgressLines(const std::string& what) {
  auto line = std::make_shared<RedrawnLine>(stderr);
  auto said = std::make_shared<int64_t>(-1);  // images, or on no terminal tenths
  return [what, line, said](int64_t done, int64_t of) {
    const int64_t now = line->terminal() ? done : of > 0 ? done * 10 / of : 10;
    if (std::exchange(*said, now) == now) return;
    line->Show(absl::StrCat(what, ": ", done, " of ", of, " images"));
    if (done >= of) line->End();
  };
}

}  // namespace mimeo
