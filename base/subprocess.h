// A child process. One thread at a time. The destructor kills and reaps a child that still runs.
//
// Any thread may start one, short-lived ones too: a child dies with the parent's process, not with its thread. The
// child gets the environment, working directory and standard streams, no other descriptor, and no blocked signal.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mimeo {

// How a child ended: by exit code, or by a signal.
struct ExitStatus {
  int code = 0;  // when signal is 0
  int signal = 0;
  bool ok() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exited with code 3", "was killed by SIGKILL (9)"
};

class Subprocess {
 public:
  struct Options {
    std::vector<std::string> argv;       // argv[0] is the path of the binary
    std::vector<std::string> extra_env;  // "NAME=value", over the parent's
    std::string output_path;             // stdout and stderr are appended to this file; empty: inherited
    bool capture_stdout = false;         // stdout is read by Wait into `output`; stderr stays inherited
    // Where given, Wait hands over what the child writes there, piece by piece, as it comes; instead of the fields
    // above.
    std::function<void(absl::string_view)> on_stdout;
    std::function<void(absl::string_view)> on_stderr;
    bool die_with_parent = true;  // SIGKILL to the child when this process dies (PR_SET_PDEATHSIG)
    bool own_group = true;        // a terminal's Ctrl-C does not reach it
  };

  // NotFound: no such binary. Internal: fork or exec failed.
  static absl::StatusOr<std::unique_ptr<Subprocess>> Start(const Options& options);
  ~Subprocess();

  pid_t pid() const { return pid_; }
  bool running();  // reaps when it has ended
  // Waits for the end. DeadlineExceeded: it still runs.
  absl::StatusOr<ExitStatus> Wait(absl::Time deadline);
  const std::string& output() const { return output_; }  // after Wait, with capture_stdout; at most 64 MiB
  void Signal(int signal);                               // no-op when it has ended

 private:
  // A pipe from the child. fd -1: there is none, or it has ended.
  struct Pipe {
    int fd = -1;
    std::function<void(absl::string_view)> take;
  };

  explicit Subprocess(pid_t pid) : pid_(pid) {}
  void ReadOutput();
  void Keep(absl::string_view piece);  // in `output_`

  const pid_t pid_;
  Pipe stdout_;
  Pipe stderr_;
  bool ended_ = false;
  ExitStatus exit_;
  std::string output_;
};

}  // namespace mimeo
