// Side lengths of an image or an activation.
#pragma once

#include <cstddef>
#include <string>

namespace easgd {

/// Side lengths of one sample or activation.
struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;

  std::size_t size() const { return std::size_t(channels) * height * width; }
  bool operator==(const Shape&) const = default;
};

/// "3x32x32"
std::string to_string(const Shape& shape);

}  // namespace easgd
