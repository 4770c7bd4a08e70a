#include "data/dataset.h"

#include <algorithm>

#include "base/error.h"

namespace easgd {

std::string Dataset::image_name(std::size_t index) const {
  return "image " + std::to_string(index);
}

std::size_t used_samples(const Dataset& set, std::size_t limit) {
  if (set.size() == 0) throw DataError("the data set has no images");
  return limit == 0 ? set.size() : std::min(limit, set.size());
}

}  // namespace easgd
