#include "backend/letter_lane.h"

#include "base/check.h"

namespace easgd {

void check_letter_size(std::span<const ConstView> parts, ConstView letter) {
  std::size_t count = 0;
  for (const ConstView part : parts) count += part.size();
  EASGD_CHECK(!parts.empty() && count == letter.size(),
              "a letter of {} numbers in {} parts, for memory of {}", count, parts.size(),
              letter.size());
}

}  // namespace easgd
