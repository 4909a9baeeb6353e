#include "worker/tools/verb.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "base/process.h"

namespace mimeo {
namespace {

// The seam where what libtorch throws becomes a Status.
absl::Status Caught(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace

int RunVerb(CLI::App* app, int argc, char** argv, const int* threads, const std::function<absl::Status()>& body) {
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app->exit(error) == 0 ? 0 : 2;
  }
  StartLogging(app->get_name());
  if (*threads > 0) at::set_num_threads(*threads);
  const absl::Status status = Caught(body);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", app->get_name().c_str(), std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsPermissionDenied(status) ? 2 : 1;
}

std::function<void(int64_t done, int64_t of)> ProgressLines(const std::string& what) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  auto tenth = std::make_shared<int64_t>(-1);
  return [what, terminal, tenth](int64_t done, int64_t of) {
    const int64_t now = of > 0 ? done * 10 / of : 10;
    if (!terminal && now == *tenth) return;
    *tenth = now;
    std::fprintf(stderr, "%s%s: %ld of %ld images%s", terminal ? "\r" : "", what.c_str(), static_cast<long>(done),
                 static_cast<long>(of), terminal && done < of ? "" : "\n");
  };
}

}  // namespace mimeo
