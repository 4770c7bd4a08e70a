#include "base/view.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>

namespace easgd {

namespace {

constexpr std::size_t kCacheLine = 64, kHugePage = 2 << 20;
#if defined(__SANITIZE_ADDRESS__)  // which watches the ends of what is allocated
constexpr bool kPages = false;
#else
constexpr bool kPages = true;
#endif

/// Pages of the system's, which are zero, and are there only once somebody touches them.
Buffer pages(std::size_t count) {
  const std::size_t bytes = count * sizeof(float), room = bytes + kHugePage;
  void* const begin =
      mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  void* data = begin;
  std::size_t left = room;
  std::align(kHugePage, bytes, data, left);
  // Advice: where the system has none to give, pages are small.
  madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return Buffer(static_cast<float*>(data), count, [begin, room](float*) { munmap(begin, room); });
}

}  // namespace

Buffer host_buffer(std::size_t count) {
  if (kPages && count >= kHugeBuffer) return pages(count);
  constexpr std::align_val_t kAlignment{kCacheLine};
  auto* data = static_cast<float*>(::operator new(count * sizeof(float), kAlignment));
  std::fill_n(data, count, 0.0f);
  return Buffer(data, count, [](float* p) { ::operator delete(p, kAlignment); });
}

}  // namespace easgd
