#include "worker/tools/verb.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/json_text.h"
#include "base/print.h"
#include "base/process.h"
#include "base/text.h"
#include "model/catch_torch.h"
#include "model/compute_settings.h"
#include "spdlog/details/log_msg_buffer.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

// Keeps what is told by the way (what a weights file is, how many images have a label) until the work begins, and drops
// it where a verb is refused before: then its refusal is all that is said. Warnings pass at once.
class NotesUntilWork : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit NotesUntilWork(spdlog::sink_ptr out) : out_(std::move(out)) {}
  void Show() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const spdlog::details::log_msg_buffer& note : kept_) out_->log(note);
    kept_.clear();
    shows_ = true;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (shows_ || message.level > spdlog::level::info) {
      out_->log(message);
    } else {
      kept_.emplace_back(message);
    }
  }
  void flush_() override { out_->flush(); }

 private:
  const spdlog::sink_ptr out_;
  std::vector<spdlog::details::log_msg_buffer> kept_;
  bool shows_ = false;
};

// Where somebody asked for logs, all of them come at once.
void KeepNotes() {
  if (std::getenv("MIMEO_LOG") != nullptr) return;
  for (spdlog::sink_ptr& sink : spdlog::default_logger()->sinks()) sink = std::make_shared<NotesUntilWork>(sink);
}

void ShowNotes() {
  for (const spdlog::sink_ptr& sink : spdlog::default_logger()->sinks()) {
    if (auto* const kept = dynamic_cast<NotesUntilWork*>(sink.get()); kept != nullptr) kept->Show();
  }
}

}  // namespace

int RunVerb(CLI::App* app, int argc, char** argv, const int* threads, const std::function<absl::Status()>& body) {
  if (const auto code = ParseCommandLine(app, argc, argv); code.has_value()) return *code;
  StartPlainLogging(app->get_name());
  KeepNotes();
  const absl::Status status = CatchTorch([&] {
    SetUpCompute(*threads > 0 ? *threads : at::get_num_threads());
    const absl::Status done = body();
    return done.ok() ? Printed(stdout) : done;
  });
  if (status.ok()) {
    ShowNotes();
    return 0;
  }
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
    ShowNotes();
    line->Show(absl::StrCat(what, ": ", done, " of ", of, " images"));
    if (done >= of) line->End();
  };
}

}  // namespace mimeo
