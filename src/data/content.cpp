#include "data/content.h"

#include "base/checksum.h"

namespace easgd {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  const std::uint64_t both[] = {hash, value};
  return checksum({reinterpret_cast<const std::uint8_t*>(both), sizeof both});
}

}  // namespace

std::optional<std::uint64_t> content_of(const DataSplit& split) {
  std::uint64_t hash = 0;
  for (const Dataset* half : {split.train.get(), split.test.get()}) {
    if (!dynamic_cast<const ImageTable*>(half)) return std::nullopt;
    Scratch none;
    for (std::size_t i = 0; i < half->size(); ++i) {
      hash = mix(hash, checksum(half->image(i, none).pixels));
      hash = mix(hash, std::uint64_t(half->label(i)));
    }
  }
  return hash;
}

}  // namespace easgd
