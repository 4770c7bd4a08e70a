#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

/// Debian's TBB is not built for the thread sanitizer, which so cannot see that a task begins after
/// it was queued. The loader's protocol is tested on plain threads too, where nothing is hidden.
extern "C" const char* __tsan_default_suppressions() {
  return "race:tbb::detail::d1::enqueue_task\n";
}
