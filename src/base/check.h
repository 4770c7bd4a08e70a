// Assertions that stay in release builds, for what must hold where one part of the program hands
// something to another: states of a mailbox, versions, sizes of views, entries of a registry.
//
//   EASGD_CHECK(version > last_, "worker {}: version {} after {}", worker, version, last_);
//
// A check that fails is a bug of this program and never triggered by its user. It is no part of a
// loop over numbers: those have `assert`.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace easgd {

/// A check that has failed. The run stops and saves what it has, and main ends with exit code 1. On
/// a thread of a library (a CUDA callback) nothing is saved. Before main, when registries are
/// filled, it aborts.
class Bug : public std::logic_error {
 public:
  Bug(const char* file, int line, const char* expected, const std::string& found)
      : std::logic_error(fmt::format("bug: {}:{}: expected {}; found {}; please report this", file,
                                     line, expected, found)) {}
};

}  // namespace easgd

/// Throws Bug unless `condition` holds. The rest is a format and its arguments: whose fault it is
/// (worker, version) and the state that was found.
#define EASGD_CHECK(condition, ...)                                                 \
  do {                                                                              \
    if (!(condition)) [[unlikely]] {                                                \
      throw ::easgd::Bug(__FILE__, __LINE__, #condition, fmt::format(__VA_ARGS__)); \
    }                                                                               \
  } while (false)
