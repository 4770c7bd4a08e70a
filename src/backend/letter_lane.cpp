#include "backend/letter_lane.h"

#include <fmt/format.h>

#include <stdexcept>

namespace easgd {

void check_letter_size(std::span<const ConstView> parts, ConstView letter) {
  std::size_t count = 0;
  for (const ConstView part : parts) count += part.size();
  if (parts.empty() || count != letter.size()) {
    throw std::logic_error(fmt::format("a letter of {} numbers in {} parts, for memory of {}",
                                       count, parts.size(), letter.size()));
  }
}

}  // namespace easgd
