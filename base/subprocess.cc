#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/limits.h"

extern char** environ;

namespace mimeo {
namespace {

std::string ErrnoText(int error) { return std::system_category().message(error); }

// Runs `fork` calls on one thread that lives as long as the process: PR_SET_PDEATHSIG speaks of the parent's *thread*,
// so a child that a short-lived thread forked would die with that thread.
class ForkThread {
 public:
  static ForkThread* Get() {
    static auto* const instance = new ForkThread;
    return instance;
  }

  pid_t Run(absl::FunctionRef<pid_t()> fork_child) ABSL_LOCKS_EXCLUDED(turn_, mu_) {
    absl::MutexLock turn(&turn_);
    absl::MutexLock lock(&mu_);
    request_ = &fork_child;
    mu_.Await(absl::Condition(
        +[](absl::FunctionRef<pid_t()>** request) { return *request == nullptr; }, &request_));
    errno = error_;
    return result_;
  }

 private:
  ForkThread() {
    std::thread([this] { Loop(); }).detach();
  }

  void Loop() ABSL_LOCKS_EXCLUDED(mu_) {
    while (true) {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(
          +[](absl::FunctionRef<pid_t()>** request) { return *request != nullptr; }, &request_));
      result_ = (*request_)();
      error_ = errno;
      request_ = nullptr;
    }
  }

  absl::Mutex turn_;  // one caller at a time
  absl::Mutex mu_;
  absl::FunctionRef<pid_t()>* request_ ABSL_GUARDED_BY(mu_) = nullptr;
  pid_t result_ ABSL_GUARDED_BY(mu_) = -1;
  int error_ ABSL_GUARDED_BY(mu_) = 0;
};

// Everything that the child needs between fork and exec, where it may not allocate.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> env;
  pid_t parent = 0;
  int out_fd = -1;      // for stdout; -1: inherited
  int err_fd = -1;      // for stderr
  int error_pipe = -1;  // takes errno when exec fails
  bool die_with_parent = false;
  bool own_group = false;
};

[[noreturn]] void ExecChild(const ChildPlan& plan) {
  if (plan.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan.parent) _exit(127);  // it died before prctl
  }
  if (plan.own_group) setpgid(0, 0);
  if (plan.out_fd >= 0) dup2(plan.out_fd, STDOUT_FILENO);
  if (plan.err_fd >= 0) dup2(plan.err_fd, STDERR_FILENO);
  // A process that blocks its stop signals (base/process.h) must not hand that on, nor its sockets and locks.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int error_fd = 3;
  if (plan.error_pipe != error_fd) dup3(plan.error_pipe, error_fd, O_CLOEXEC);
  close_range(error_fd + 1, ~0U, 0);
  execve(plan.argv[0], plan.argv.data(), plan.env.data());
  const int error = errno;
  const ssize_t ignored = write(error_fd, &error, sizeof(error));
  (void)ignored;
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& text : *strings) pointers.push_back(&text[0]);
  pointers.push_back(nullptr);
  return pointers;
}

std::string NameOf(const std::string& assignment) { return assignment.substr(0, assignment.find('=')); }

// The parent's environment with `extra` in place of variables of the same name.
std::vector<std::string> Environment(const std::vector<std::string>& extra) {
  std::vector<std::string> env = extra;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string name = NameOf(*entry);
    const bool replaced = std::any_of(extra.begin(), extra.end(),
                                      [&](const std::string& assignment) { return NameOf(assignment) == name; });
    if (!replaced) env.push_back(*entry);
  }
  return env;
}

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0) close(Release());
  }

 private:
  int fd_ = -1;
};

absl::Status MakePipe(Fd* reader, Fd* writer) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::InternalError(absl::StrCat("pipe: ", ErrnoText(errno)));
  reader->Reset(fds[0]);
  writer->Reset(fds[1]);
  return absl::OkStatus();
}

// Waits until the child replaced itself (the pipe closes, 0) or failed to (its errno).
int ExecError(int error_pipe) {
  int error = 0;
  ssize_t got;
  do {
    got = read(error_pipe, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(error) ? error : 0;
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal == 0) return absl::StrCat("exited with code ", code);
  const char* const name = sigabbrev_np(signal);
  // The kernel's own way to end a process when memory runs out; nothing else tells a person of it.
  const char* const cause = signal == SIGKILL ? ": out of memory?" : "";
  return absl::StrCat("was killed by SIG", name == nullptr ? "?" : name, " (", signal, ")", cause);
}

absl::StatusOr<std::unique_ptr<Subprocess>> Subprocess::Start(const Options& options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("no command");
  const std::string& binary = options.argv[0];
  if (access(binary.c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("cannot run ", binary, ": ", ErrnoText(errno)));
  }
  Fd output_file, stdout_reader, stdout_writer, stderr_reader, stderr_writer, error_reader, error_writer;
  if (!options.output_path.empty()) {
    output_file.Reset(open(options.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (output_file.get() < 0) {
      return absl::InternalError(absl::StrCat("opening ", options.output_path, ": ", ErrnoText(errno)));
    }
  }
  absl::Status pipes = MakePipe(&error_reader, &error_writer);
  const bool reads_stdout = options.capture_stdout || options.on_stdout;
  if (pipes.ok() && reads_stdout) pipes = MakePipe(&stdout_reader, &stdout_writer);
  if (pipes.ok() && options.on_stderr) pipes = MakePipe(&stderr_reader, &stderr_writer);
  if (!pipes.ok()) return pipes;

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> env = Environment(options.extra_env);
  ChildPlan plan;
  plan.argv = Pointers(&argv);
  plan.env = Pointers(&env);
  plan.parent = getpid();
  plan.out_fd = reads_stdout ? stdout_writer.get() : output_file.get();
  plan.err_fd = options.on_stderr ? stderr_writer.get() : output_file.get();
  plan.error_pipe = error_writer.get();
  plan.die_with_parent = options.die_with_parent;
  plan.own_group = options.own_group;

  const pid_t pid = ForkThread::Get()->Run([&plan] {
    const pid_t child = fork();
    if (child == 0) ExecChild(plan);
    return child;
  });
  if (pid < 0) return absl::InternalError(absl::StrCat("fork for ", binary, ": ", ErrnoText(errno)));
  error_writer.Close();
  if (const int error = ExecError(error_reader.get()); error != 0) {
    waitpid(pid, nullptr, 0);
    return absl::InternalError(absl::StrCat("cannot run ", binary, ": ", ErrnoText(error)));
  }
  for (const Fd* reader : {&stdout_reader, &stderr_reader}) {
    if (reader->get() >= 0) fcntl(reader->get(), F_SETFL, O_NONBLOCK);
  }
  std::unique_ptr<Subprocess> child(new Subprocess(pid));
  Subprocess* const kept = child.get();
  child->stdout_ = {stdout_reader.Release(), options.on_stdout};
  if (!options.on_stdout) child->stdout_.take = [kept](absl::string_view piece) { kept->Keep(piece); };
  child->stderr_ = {stderr_reader.Release(), options.on_stderr};
  return child;
}

Subprocess::~Subprocess() {
  if (running()) {
    Signal(SIGKILL);
    int status;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  for (const Pipe* pipe : {&stdout_, &stderr_}) {
    if (pipe->fd >= 0) close(pipe->fd);
  }
}

bool Subprocess::running() {
  if (ended_) return false;
  int status = 0;
  const pid_t reaped = waitpid(pid_, &status, WNOHANG);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return true;
  ended_ = true;
  if (reaped < 0) {
    exit_.code = 127;  // reaped elsewhere: how it ended is lost
  } else if (WIFSIGNALED(status)) {
    exit_.signal = WTERMSIG(status);
  } else {
    exit_.code = WEXITSTATUS(status);
  }
  return false;
}

void Subprocess::Keep(absl::string_view piece) {
  const size_t room = limits::kCapturedOutputBytes - output_.size();
  output_.append(piece.data(), std::min(room, piece.size()));
}

// Takes what lies in the pipes. A grandchild may keep them open for ever: their end is not waited for.
void Subprocess::ReadOutput() {
  char piece[1 << 16];
  for (Pipe* pipe : {&stdout_, &stderr_}) {
    while (pipe->fd >= 0) {
      const ssize_t got = read(pipe->fd, piece, sizeof(piece));
      if (got > 0) pipe->take(absl::string_view(piece, static_cast<size_t>(got)));
      if (got > 0 || (got < 0 && errno == EINTR)) continue;
      if (got < 0 && errno == EAGAIN) break;
      close(std::exchange(pipe->fd, -1));
    }
  }
}

absl::StatusOr<ExitStatus> Subprocess::Wait(absl::Time deadline) {
  const Fd pidfd(ended_ ? -1 : static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  while (running()) {
    const absl::Duration left = deadline - Clock::Real()->Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError(absl::StrCat("process ", pid_, " still runs"));
    pollfd fds[3] = {
        {pidfd.get(), POLLIN, 0}, {stdout_.fd, POLLIN, 0}, {stderr_.fd, POLLIN, 0}};  // poll ignores negative ones
    // Kernels without pidfd_open (before 5.3) are asked again in slices.
    const absl::Duration slice = std::min(left, pidfd.get() >= 0 ? absl::Minutes(1) : absl::Milliseconds(20));
    poll(fds, 3, static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(slice, absl::Milliseconds(1)))));
    ReadOutput();
  }
  ReadOutput();
  return exit_;
}

void Subprocess::Signal(int signal) {
  if (running()) kill(pid_, signal);
}

}  // namespace mimeo
