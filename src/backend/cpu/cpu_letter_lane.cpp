#include "backend/cpu/cpu_letter_lane.h"

#include <algorithm>

namespace easgd::cpu {

void CpuLetterLane::post(std::span<const ConstView> parts, View to, std::function<void()> posted) {
  check_letter_size(parts, to);
  auto out = to.begin();
  for (const ConstView part : parts) out = std::ranges::copy(part, out).out;
  posted();
}

}  // namespace easgd::cpu
