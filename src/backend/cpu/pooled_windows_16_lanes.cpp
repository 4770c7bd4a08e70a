// With AVX-512.
#include <cstring>
#include <utility>

#include "backend/cpu/pooled_windows.h"
#include "kernels/tiles.h"

#include "kernels/lanes_16.h"

#include "kernels/narrowed.h"

namespace easgd::cpu {
namespace {

/// Of values below 256.
inline void narrow(std::uint8_t* p, std::int32_t __attribute__((vector_size(64))) v) {
  using Bytes = std::uint8_t __attribute__((vector_size(64)));
  using UnalignedBytes = std::uint8_t __attribute__((vector_size(16), aligned(1)));
  const auto bytes = __builtin_bit_cast(Bytes, v);
  *reinterpret_cast<UnalignedBytes*>(p) = __builtin_shufflevector(
      bytes, bytes, 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
}

}  // namespace
}  // namespace easgd::cpu

#include "backend/cpu/pooled_windows_loops.h"

#include "backend/cpu/filtered_windows_loops.h"

namespace easgd::cpu {
namespace {

using kernels::add_products, kernels::load_tile;

/// sum[kOutput] += a row of the kernel times what that output sees of it.
template <int kOutput>
void add_row(const std::int32_t* seen) {
  constexpr int kTile = 5 + kOutput % 2;  // while one is multiplied, the next is loaded
  load_tile<kTile>(seen, 2 * kLanes * sizeof(std::int32_t));
  add_products<kOutput, 4, kTile>();
}

void forward_tiles(const PooledTileWindow& w) {
  kernels::clear_tile<0>(), kernels::clear_tile<1>();
  kernels::clear_tile<2>(), kernels::clear_tile<3>();
  for (std::size_t row = 0; row < w.kernel; ++row) {
    load_tile<4>(w.weight + row * kLanes * w.pairs, std::int64_t(w.pairs * sizeof(std::int32_t)));
    const std::int32_t* seen = w.corner + row * w.line;
    add_row<0>(seen), add_row<1>(seen + w.pixel);
    add_row<2>(seen + w.line), add_row<3>(seen + w.line + w.pixel);
  }
  alignas(64) float sums[4][kLanes][kLanes];  // of an output, a channel, a sample
  constexpr std::int64_t kRow = kLanes * sizeof(float);
  kernels::store_tile<0>(sums[0][0], kRow), kernels::store_tile<1>(sums[1][0], kRow);
  kernels::store_tile<2>(sums[2][0], kRow), kernels::store_tile<3>(sums[3][0], kRow);
  for (std::size_t o = 0; o < w.channels; ++o) {
    Floats sum[4];
    for (int output = 0; output < 4; ++output) {
      sum[output] = *reinterpret_cast<const Floats*>(sums[output][o]) + w.bias[o];
    }
    keep_best(w.outputs, o, sum);
  }
}

[[gnu::target("avx512bf16")]] void pair_values(const float* values, std::size_t count,
                                               std::int32_t* words) {
  Ints next = kernels::narrowed(values);
  for (std::size_t i = 0; i < count; ++i) {
    const Ints value = next;
    next = i + 1 < count ? kernels::narrowed(values + (i + 1) * kLanes) : Ints{};
    const Ints pair = value | next << 16;
    __builtin_memcpy(words + i * kLanes, &pair, sizeof pair);
  }
}

}  // namespace

PooledWindows pooled_windows_of_16_lanes() {
  return {kLanes,
          6,
          {forward_channels<1>, forward_channels<2>, forward_channels<3>, forward_channels<4>,
           forward_channels<5>, forward_channels<6>},
          transform_patch,
          filter,
          kAccumulate,
          forward_tiles,
          pair_values};
}

}  // namespace easgd::cpu
