// How many threads the system lets this process have.
#pragma once

#include <cstddef>

namespace easgd {

/// How many more threads can live at the same time, up to `wanted`. It starts them, because no
/// other way shows the limits on a user's processes, a container's pids and address space together.
/// All threads have ended on return.
std::size_t startable_threads(std::size_t wanted);

}  // namespace easgd
