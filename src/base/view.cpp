#include "base/view.h"

#include <algorithm>
#include <new>

namespace easgd {

Buffer host_buffer(std::size_t count) {
  constexpr std::align_val_t kCacheLine{64};
  auto* data = static_cast<float*>(::operator new(count * sizeof(float), kCacheLine));
  std::fill_n(data, count, 0.0f);
  return Buffer(data, count, [kCacheLine](float* p) { ::operator delete(p, kCacheLine); });
}

}  // namespace easgd
