// How a picture is to be turned before it is shown.
#pragma once

#include <cstdint>
#include <span>

#include "data/cut.h"

namespace easgd {

/// A number of EXIF: the pixels as they are stored, and as they are shown.
///
///   1 as it is   2 mirrored   3 by 180 degrees   4 mirrored, by 180
///   5 mirrored, by 270   6 by 90   7 mirrored, by 90   8 by 270          (clockwise)
class Orientation {
 public:
  constexpr Orientation() = default;
  /// What is not 1..8 counts as 1.
  constexpr explicit Orientation(int number) : number_(number >= 1 && number <= 8 ? number : 1) {}

  bool turns() const { return number_ != 1; }
  /// The shape of a picture as it is shown, of that as it is stored.
  Shape shown(Shape stored) const;
  /// The cut of a stored picture that, once turned, is `shown` of the picture as it is shown.
  Cut stored(const Cut& shown, Shape stored) const;
  /// Turns the pixels of a stored cut. stored: [C][H][W]; to: as large.
  void turn(Shape stored, const std::uint8_t* from, std::uint8_t* to) const;

 private:
  bool is_transposed() const { return number_ >= 5; }
  /// From which end stored lines and columns count.
  bool flips_lines() const;
  bool flips_columns() const { return number_ == 2 || number_ == 3 || number_ >= 7; }
  Region stored(const Region& shown, int height, int width) const;

  int number_ = 1;
};

/// That of a block of EXIF's, which begins with a TIFF header; as it is, if the block does not say
/// or is damaged.
Orientation orientation_in(std::span<const std::uint8_t> tiff);

}  // namespace easgd
