// What profilers are told: the names of threads, and what each does when (NVTX, domain "easgd").
#pragma once

#include <string>

namespace easgd {

/// The program was built with NVTX.
bool can_trace();

/// Names the calling thread for debuggers, top and profilers; only the first 15 bytes for the first
/// two.
void name_thread(const std::string& name);

/// A stretch of the calling thread's time from birth to death, which may lie within another of that
/// thread. Where no profiler listens it costs some nanoseconds.
class TraceScope {
 public:
  explicit TraceScope(const char* name);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
};

}  // namespace easgd
