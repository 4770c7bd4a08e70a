// A process of one's own: started, waited for, asked to end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace easgd {

/// The program that is running, as it was started (not the library that it has loaded). Found out
/// once: what is put in its place meanwhile has the same path.
const std::filesystem::path& own_program();

struct Command {
  std::vector<std::string> words;                       ///< the program and its arguments
  std::map<std::string, std::string> environment = {};  ///< beside this process's own
  std::filesystem::path log;                            ///< takes what it prints, at its end
};

class ChildProcess {
 public:
  /// The child is asked to end (SIGTERM) if the thread that started it ends, whatever the cause.
  /// Thread: main.
  /// Throws: DataError if the log cannot be opened; DeviceError if the system has no process left.
  explicit ChildProcess(const Command& command);
  /// Kills it if it has not ended.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;

  /// Asks it to save and end.
  void terminate();
  bool has_ended();
  /// 128 and the number of a signal that ended it. Waits for its end.
  int exit_code();
  /// "signal 9 (Killed)"; nothing if it has ended by itself.
  std::string fatal_signal() const;
  /// Becomes readable when it ends.
  int descriptor() const { return alive_; }

 private:
  pid_t pid_ = -1;
  int alive_ = -1;  // a pipe whose other end is open as long as the child lives
  int status_ = 0;
};

/// Returns when one of them ends, when `input` can be read (-1: none), or after that time.
void wait_for_any(const std::vector<ChildProcess*>& children, std::chrono::milliseconds time,
                  int input = -1);

}  // namespace easgd
