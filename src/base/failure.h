// What an exception means to who started the program.
#pragma once

#include <exception>
#include <string>

#include "base/exit_code.h"

namespace easgd {

struct Failure {
  ExitCode code;
  std::string message;  ///< for people
};

Failure failure_of(const std::exception_ptr& error);

}  // namespace easgd
