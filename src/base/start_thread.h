#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"

namespace easgd {

/// A thread for `whom`, as in "worker 3 of 8".
/// Throws: DeviceError if the system has none left.
template <class Life>
std::thread start_thread(const std::string& whom, Life&& life) {
  try {
    return std::thread(std::forward<Life>(life));
  } catch (const std::system_error& error) {
    throw DeviceError("cpu: the system lets this process have no thread for " + whom + ": " +
                      error.code().message() +
                      " (`ulimit -u`, `ulimit -s`, a container's limit on pids)");
  }
}

}  // namespace easgd
