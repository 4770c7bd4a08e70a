// How the values of a network lie on the device.
#pragma once

#include <cstddef>

#include "base/shape.h"

namespace easgd::cuda {

struct Format {
  bool channels_last = false;  ///< [N][H][W][C], for tensor cores; else [N][C][H][W]
  bool bf16 = false;           ///< else float

  std::size_t bytes() const { return bf16 ? 2 : 4; }  ///< of a value
};

/// The shape with as many channels as tensor cores want: a multiple of 16 bytes of them.
inline Shape filled_up(Shape shape, const Format& format) {
  const int multiple = format.channels_last ? 16 / int(format.bytes()) : 1;
  shape.channels = (shape.channels + multiple - 1) / multiple * multiple;
  return shape;
}

}  // namespace easgd::cuda
