// The program, run by a test as a user runs it.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace easgd::testing {

struct Answer {
  int code;
  std::string text;  ///< standard output and error
  std::string last_line() const {
    const std::string trimmed = text.substr(0, text.find_last_not_of('\n') + 1);
    return trimmed.substr(trimmed.find_last_of('\n') + 1);
  }
};

/// `before` is what the shell does first, as in "cd folder; ".
inline Answer program(const std::string& arguments, const std::string& before = "") {
  const std::string command = before + EASGD_PROGRAM " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text};
}

/// It failed with this code, and its one line holds `part`.
inline void check_one_line(const Answer& answer, int code, const std::string& part) {
  CAPTURE(answer.text);
  CHECK(answer.code == code);
  CHECK(answer.text.find(part) != std::string::npos);
  CHECK(answer.text.starts_with("easgd: "));
  CHECK(std::ranges::count(answer.text, '\n') == 1);
}

}  // namespace easgd::testing
