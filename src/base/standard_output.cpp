#include "base/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace easgd {

void finish_output() {
  const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
  if (written || errno == EPIPE) return;
  throw DataError(std::string("standard output: cannot be written: ") + std::strerror(errno));
}

}  // namespace easgd
