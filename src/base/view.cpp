#include "base/view.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace easgd {

Buffer host_buffer(std::size_t count) {
  constexpr std::size_t kCacheLine = 64, kHugePage = 2 << 20, kWorthHugePages = 2 * kHugePage;
  const std::size_t bytes = count * sizeof(float);
  const std::align_val_t alignment{bytes < kWorthHugePages ? kCacheLine : kHugePage};
  auto* data = static_cast<float*>(::operator new(bytes, alignment));
  // Advice: where the system has none to give, pages are small.
  if (bytes >= kWorthHugePages) madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  std::fill_n(data, count, 0.0f);
  return Buffer(data, count, [alignment](float* p) { ::operator delete(p, alignment); });
}

}  // namespace easgd
