// What a kernel, its steps or its margin has along the height and along the width.
#pragma once

#include <cstdint>
#include <string>

namespace easgd {

struct Sides {
  std::int64_t height = 0;
  std::int64_t width = 0;

  std::int64_t area() const { return height * width; }
  bool is_square() const { return height == width; }
  bool operator==(const Sides&) const = default;
};

/// "3x1"
inline std::string to_string(const Sides& sides) {
  return std::to_string(sides.height) + "x" + std::to_string(sides.width);
}

}  // namespace easgd
