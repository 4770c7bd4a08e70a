// The program, run by a test as a user runs it.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace easgd::testing {

struct Answer {
  int code;
  std::string text;  ///< standard output and error
  std::string last_line() const {
    const std::string trimmed = text.substr(0, text.find_last_not_of('\n') + 1);
    return trimmed.substr(trimmed.find_last_of('\n') + 1);
  }
};

/// Under the address sanitizer all takes longer, and more memory and threads. Its search for leaks,
/// when a program ends, breaks down where threads of libraries end at the same time: leaks are
/// looked for in tests that call the program's functions.
#if defined(__SANITIZE_ADDRESS__)
inline const bool kSanitized = setenv("ASAN_OPTIONS", "detect_leaks=0", 1) == 0;
#else
constexpr bool kSanitized = false;
#endif

inline Answer shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text};
}

/// `before` is what the shell does first, as in "cd folder; ".
inline Answer program(const std::string& arguments, const std::string& before = "") {
  return shell(before + EASGD_PROGRAM " " + arguments);
}

/// It failed with this code, and its one line holds `part`.
inline void check_one_line(const Answer& answer, int code, const std::string& part) {
  CAPTURE(answer.text);
  CHECK(answer.code == code);
  CHECK(answer.text.find(part) != std::string::npos);
  CHECK(answer.text.starts_with("easgd: "));
  CHECK(std::ranges::count(answer.text, '\n') == 1);
}

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Of metrics.jsonl.
inline std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<nlohmann::json> result;
  for (std::string line; std::getline(file, line);) result.push_back(nlohmann::json::parse(line));
  return result;
}

/// A run of a second on the built-in data.
inline const std::string kTrain =
    "train configs/synthetic_logistic.toml --set data.limit=2000 --set data.test_limit=500 ";

inline std::vector<std::string> endless(const std::string& out) {
  return {"configs/synthetic_logistic.toml", "--out", out, "--set", "stop.epochs=100000"};
}

/// `easgd` with `arguments`, beside the test, in a process group of its own; what it says is in
/// `log`.
inline pid_t start_program(const std::vector<std::string>& arguments, const std::string& log,
                           bool ignores_hangup = false) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  setpgid(0, 0);
  // A shell's background jobs inherit an ignored SIGINT.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);
  if (ignores_hangup) std::signal(SIGHUP, SIG_IGN);
  freopen(log.c_str(), "w", stderr);
  freopen(log.c_str(), "a", stdout);
  std::string program = "easgd";
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(EASGD_PROGRAM, argv.data());
  _exit(99);
}

inline pid_t start_training(std::vector<std::string> arguments, const std::string& log,
                            bool ignores_hangup = false) {
  arguments.insert(arguments.begin(), "train");
  return start_program(arguments, log, ignores_hangup);
}

inline void sleep_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

inline void wait_for_file(const std::string& path) {
  for (int i = 0; i < 6000 && !std::filesystem::exists(path); ++i) sleep_ms(10);
}

/// The exit code of a child; 128 and more where a signal has ended it.
inline int code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A new folder below `folder` in whose files' names there is room for so many letters: longer ones
/// cannot be written, as on a disk that takes no more.
inline std::string folder_with_room(const std::string& folder, std::size_t letters) {
  constexpr std::size_t kLongestPath = 4095;
  std::string path = folder;
  std::size_t left = kLongestPath - path.size() - 1 - letters;
  const auto go_deeper = [&path](std::size_t letters_more) {
    path.append(1, '/').append(letters_more, 'd');
  };
  for (; left > 300; left -= 201) go_deeper(200);
  go_deeper(left / 2 - 1);
  go_deeper(left - left / 2 - 1);
  std::filesystem::create_directories(path);
  return path;
}

}  // namespace easgd::testing
