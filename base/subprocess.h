// A child process: started, watched, stopped, and never left behind. Each object is used by one thread at a time.
//
// Any thread may start a child, also one that ends soon: the child dies with the process that started it and not with
// the thread. A child gets this process's environment, working directory and standard streams, and no other open file.
// No signal is blocked in it, even where this process blocks its stop signals (base/process.h).
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

// How a child ended: by itself, with an exit code, or by a signal. Where something else in this process has reaped the
// child, how it ended is lost, and the code is 127.
struct ExitStatus {
  int code = 0;    // meaningful when `signal` is 0
  int signal = 0;  // 0: it ended by itself
  bool ok() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exited with code 3", "was killed by SIGKILL (9)"
};

class Subprocess {
 public:
  struct Options {
    // argv[0] is the path of the binary: nothing is looked up in $PATH.
    std::vector<std::string> argv;
    // Each is "NAME=value", and takes the place of the variable of this name in the parent's environment.
    std::vector<std::string> extra_env;
    // stdout and stderr are appended to this file. Empty: the child writes to the parent's.
    std::string output_path;
    // Wait reads the child's stdout into output().
    bool capture_stdout = false;
    // Where one is given, Wait calls it with what the child writes there, piece by piece, as it comes. It takes the
    // place of the two fields above for that stream. Only Wait reads these pipes: a child that writes much stands still
    // while nobody waits for it.
    std::function<void(absl::string_view)> on_stdout;
    std::function<void(absl::string_view)> on_stderr;
    // The kernel kills the child when this process dies in whatever way (PR_SET_PDEATHSIG).
    bool die_with_parent = true;
    // The child is in a process group of its own, so Ctrl-C on a terminal stops the parent only, which stops the child.
    bool own_group = true;
  };

  // Returns when the child runs the binary. NotFound: there is no such file, or this user may not run it. Internal: the
  // output file cannot be opened, or fork or exec failed.
  static absl::StatusOr<std::unique_ptr<Subprocess>> Start(const Options& options);
  // Kills the child if it still runs, and waits until it is gone.
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // Never blocks.
  bool running();
  // Waits until the child has ended. DeadlineExceeded: it still runs at `deadline` (of the real clock's Now()), and may
  // be waited for again. A child that has ended gives the same answer again.
  absl::StatusOr<ExitStatus> Wait(absl::Time deadline);
  // With capture_stdout: what Wait has read so far, at most limits::kCapturedOutputBytes; the rest is dropped.
  const std::string& output() const { return output_; }
  // Does nothing when the child has ended, so the signal never hits another process that got its process id.
  void Signal(int signal);

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
