#include "base/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"

extern char** environ;

namespace easgd {
namespace {

/// Words as execve() takes them.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    if (!changes.contains(std::string(text.substr(0, text.find('='))))) all.emplace_back(text);
  }
  for (const auto& [name, value] : changes) all.push_back(name + "=" + value);
  return all;
}

/// What the child has to have ready, so that it calls nothing between fork() and execve() that a
/// process of several threads may not.
struct Prepared {
  Words words, environment;
  int nothing, log, alive;
  pid_t parent;
};

[[noreturn]] void become(Prepared& p) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != p.parent) _exit(127);  // it has ended meanwhile
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  dup2(p.nothing, STDIN_FILENO);
  dup2(p.log, STDOUT_FILENO);
  dup2(p.log, STDERR_FILENO);
  fcntl(p.alive, F_SETFD, 0);  // stays open in the program
  execve(p.words.get()[0], p.words.get(), p.environment.get());
  constexpr char kLine[] = "easgd: the program cannot be started again\n";
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, kLine, sizeof kLine - 1);
  _exit(127);
}

}  // namespace

const std::filesystem::path& own_program() {
  static const std::filesystem::path kPath = [] {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path(program_invocation_name) : path;
  }();
  return kPath;
}

ChildProcess::ChildProcess(const Command& command) {
  signal(SIGCHLD, SIG_DFL);  // ignored, it would leave nothing to wait for
  const int log = open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log == -1) {
    throw DataError(
        fmt::format("{}: cannot be written: {}", command.log.string(), std::strerror(errno)));
  }
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) == 0) {
    Prepared prepared{.words = Words(command.words),
                      .environment = Words(environment_with(command.environment)),
                      .nothing = nothing,
                      .log = log,
                      .alive = ends[1],
                      .parent = getpid()};
    pid_ = fork();
    if (pid_ == 0) become(prepared);
  }
  const int why = errno;
  close(log);
  if (nothing != -1) close(nothing);
  if (ends[1] != -1) close(ends[1]);
  alive_ = ends[0];
  if (pid_ > 0) return;
  if (alive_ != -1) close(alive_);
  throw DeviceError(
      fmt::format("no process for a run: {}; see the limits on processes and files: "
                  "`ulimit -a`",
                  std::strerror(why)));
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0 && !has_ended()) {
    kill(pid_, SIGKILL);
    exit_code();
  }
  close(alive_);
}

void ChildProcess::terminate() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  kill(pid_, SIGCONT);  // one that somebody has stopped hears nothing
}

bool ChildProcess::has_ended() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

int ChildProcess::exit_code() {
  while (pid_ > 0) {
    if (waitpid(pid_, &status_, 0) == pid_ || errno == ECHILD) pid_ = 0;
  }
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

std::string ChildProcess::fatal_signal() const {
  if (!WIFSIGNALED(status_)) return "";
  const int number = WTERMSIG(status_);
  return fmt::format("signal {} ({})", number, strsignal(number));
}

void wait_for_any(const std::vector<ChildProcess*>& children, std::chrono::milliseconds time,
                  int input) {
  std::vector<pollfd> ends = {{input, POLLIN, 0}};
  for (const ChildProcess* child : children) ends.push_back({child->descriptor(), POLLIN, 0});
  poll(ends.data(), ends.size(), int(time.count()));
}

}  // namespace easgd
