// What profilers show: the names of threads, and what each does when (NVTX, domain "easgd").
#pragma once

#include <string>

namespace easgd {

/// The program was built with NVTX.
bool can_trace();

/// Names the calling thread for debuggers, top and profilers. Debuggers and top show 15 bytes only.
void name_thread(const std::string& name);

/// A stretch of the calling thread's time from birth to death, which may lie within another of that
/// thread. It costs some nanoseconds if no profiler listens.
class TraceScope {
 public:
  explicit TraceScope(const char* name);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
};

}  // namespace easgd
