#include "pictures/orientation.h"

#include <optional>
#include <utility>

namespace easgd {
namespace {

/// Numbers of a TIFF block in its own order of bytes; nothing beyond its end.
class Tiff {
 public:
  explicit Tiff(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), is_little_(!bytes.empty() && bytes[0] == 'I') {}

  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | bytes_[is_little_ ? at + size - 1 - i : at + i];
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool is_little_;
};

}  // namespace

bool Orientation::flips_lines() const {
  return number_ == 3 || number_ == 4 || number_ == 6 || number_ == 7;
}

Shape Orientation::shown(Shape stored) const {
  if (is_transposed()) std::swap(stored.height, stored.width);
  return stored;
}

/// `height` and `width` are those of the stored picture.
Region Orientation::stored(const Region& shown, int height, int width) const {
  Region region = shown;
  if (is_transposed()) {
    std::swap(region.top, region.left);
    std::swap(region.height, region.width);
  }
  if (flips_lines()) region.top = height - region.top - region.height;
  if (flips_columns()) region.left = width - region.left - region.width;
  return region;
}

Cut Orientation::stored(const Cut& shown, Shape stored) const {
  Cut cut = shown;
  if (is_transposed()) std::swap(cut.height, cut.width);
  cut.region = this->stored(shown.region, stored.height, stored.width);
  cut.part = this->stored(shown.part, cut.height, cut.width);
  return cut;
}

void Orientation::turn(Shape stored, const std::uint8_t* from, std::uint8_t* to) const {
  const Shape shape = shown(stored);
  const auto height = std::size_t(stored.height), width = std::size_t(stored.width);
  for (int c = 0; c < stored.channels; ++c, from += height * width)
    for (int y = 0; y < shape.height; ++y)
      for (int x = 0; x < shape.width; ++x) {
        const auto line = std::size_t(is_transposed() ? x : y);
        const auto column = std::size_t(is_transposed() ? y : x);
        *to++ = from[(flips_lines() ? height - 1 - line : line) * width +
                     (flips_columns() ? width - 1 - column : column)];
      }
}

Orientation orientation_in(std::span<const std::uint8_t> tiff) {
  constexpr std::uint32_t kTag = 0x0112, kShort = 3;
  constexpr std::size_t kEntry = 12;
  const Tiff block(tiff);
  const auto directory = block.number(4, 4);
  const auto entries = directory ? block.number(*directory, 2) : std::nullopt;
  for (std::size_t i = 0; entries && i < *entries; ++i) {
    const std::size_t at = *directory + 2 + i * kEntry;
    if (block.number(at, 2) != kTag) continue;
    const auto value = block.number(at + 8, 2);
    return block.number(at + 2, 2) == kShort && value ? Orientation(int(*value)) : Orientation();
  }
  return Orientation();
}

}  // namespace easgd
