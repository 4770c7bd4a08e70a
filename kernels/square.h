// Sixteen rows of sixteen numbers of 32 bits, for sources that are compiled for AVX-512
// (kernels/lanes_16.h).
#pragma once

#include <array>
#include <utility>

namespace easgd::kernels {
namespace {

template <class Vector>
using Square = std::array<Vector, kLanes>;

/// Blocks of kBlock numbers that lie off the diagonal change places.
template <int kBlock, class Vector>
void swap_blocks(Square<Vector>& square) {
  const auto shuffle = []<int... j>(std::integer_sequence<int, j...>, Vector & a, Vector & b) {
    const Vector low = __builtin_shufflevector(a, b, (j & kBlock ? kLanes + j - kBlock : j)...);
    b = __builtin_shufflevector(a, b, (j & kBlock ? kLanes + j : j + kBlock)...);
    a = low;
  };
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & kBlock) continue;
    shuffle(std::make_integer_sequence<int, kLanes>{}, square[std::size_t(i)],
            square[std::size_t(i + kBlock)]);
  }
}
/// Rows become columns.
template <class Vector>
void transpose(Square<Vector>& square) {
  swap_blocks<1>(square);
  swap_blocks<2>(square);
  swap_blocks<4>(square);
  swap_blocks<8>(square);
}

}  // namespace
}  // namespace easgd::kernels
