#include "kernels/dft.h"

#include <algorithm>

#include "kernels/dft_variants.h"
#include "kernels/processor.h"

namespace easgd::kernels {

const Dft* Dfts::find(int length) const {
  const auto found =
      std::ranges::find_if(lengths, [length](const Dft& dft) { return dft.length >= length; });
  return found == lengths.end() ? nullptr : &*found;
}

std::span<const Dfts> all_dfts() {
  static const auto all = usable_variants(dfts_of_16_lanes(), dfts_of_8_lanes());
  return all;
}

}  // namespace easgd::kernels
