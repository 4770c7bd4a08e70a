#include "data/data_threads.h"

#include <fmt/format.h>
#include <tbb/global_control.h>

#include <algorithm>

#include "base/error.h"
#include "base/startable_threads.h"
#include "base/usable_cores.h"

namespace easgd {

/// The caller of a parallel loop counts, though it is no thread of TBB's.
struct DataThreads::Limit : tbb::global_control {
  explicit Limit(std::size_t threads)
      : tbb::global_control(tbb::global_control::max_allowed_parallelism, threads + 1) {}
};

std::size_t most_data_threads() {
  return std::max<std::size_t>(usable_cores() - 1, 1);
}

DataThreads::DataThreads(std::size_t others) {
  const std::size_t own = most_data_threads();
  const std::size_t found = startable_threads(others + own);
  if (found <= others) {
    throw DeviceError(fmt::format(
        "cpu: this needs {} more threads, and the system lets this process have {} (`ulimit -u`, a "
        "container's limit on pids, `ulimit -v`); raise it, or use fewer workers or threads",
        others + 1, found));
  }
  limit_ = std::make_unique<Limit>(found - others);
}

DataThreads::~DataThreads() = default;

}  // namespace easgd
