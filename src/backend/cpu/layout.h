// Layouts that our own loops work in directly.
#pragma once

#include <cstddef>
#include <optional>

#include "backend/cpu/onednn.h"
#include "base/shape.h"

namespace easgd::cpu {

/// An activation as planes [planes][height][width][lanes] of contiguous values:
///
///   nchw     planes = N C      lanes = 1        PyTorch's
///   nhwc     planes = N        lanes = C
///   nChw8c   planes = N C/8    lanes = 8        oneDNN's on AVX2; nChw16c on AVX-512
///   chwn     planes = C        lanes = N        of our own convolutions: one vector is one pixel
///                                               of eight samples, so nothing is ever ragged
struct Planes {
  memory::format_tag layout;
  std::size_t planes;
  int height, width;
  std::size_t lanes;
};

/// Nothing for other layouts.
std::optional<Planes> planes_of(const memory::desc& desc);

}  // namespace easgd::cpu
