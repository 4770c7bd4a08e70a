#include "base/standard_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace easgd {
namespace {

int first_error = 0;  // errno

}  // namespace

void write_output(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 && first_error == 0) first_error = errno;
}

bool has_output() {
  const int flags = fcntl(STDOUT_FILENO, F_GETFL);
  return flags != -1 && (flags & O_ACCMODE) != O_RDONLY;
}

void finish_output() {
  if (std::fflush(stdout) != 0 && first_error == 0) first_error = errno;
  if (first_error == 0 || first_error == EPIPE) return;
  throw DataError(std::string("standard output: cannot be written: ") + std::strerror(first_error));
}

}  // namespace easgd
