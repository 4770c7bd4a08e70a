// Threads that were given up because they do not come back. No thread can be killed: what they know
// of stays in memory, and the process ends without taking anything away under them.
#pragma once

#include <cstddef>

namespace easgd {

/// From any thread.
void note_stray_threads(std::size_t count);
bool has_stray_threads();

}  // namespace easgd
