// Tasks that run on other threads.
#pragma once

#include <functional>

namespace easgd {

/// Has a task run on another thread, soon.
using Spawn = std::function<void(std::function<void()>)>;

/// On a small TBB arena that all callers share.
void spawn_on_tbb(std::function<void()> task);

/// On a TBB arena of so many threads, which all copies of the result share.
Spawn spawn_on_arena(int threads);

}  // namespace easgd
