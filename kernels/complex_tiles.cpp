// A complex number in bf16 is one word of 32 bits, and a pair of factors for AMX: a tile of
// 16 x 16 such words times another adds to 16 x 16 sums, for each of them over 16 pairs. So with
// b = (re, im) as it stands
//   re of a b = (a.re, -a.im) . b        im of a b = (a.im, a.re) . b
// take two forms of a, and one of b. Factors are copied into tiles first, of zeros where the
// matrices end, and transposed there if they have to be.
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/complex_multipliers.h"
#include "kernels/tiles.h"

#include "kernels/lanes_16.h"

#include "kernels/narrowed.h"
#include "kernels/square.h"

namespace easgd::kernels {
namespace {

constexpr int kSide = kLanes;  // of a tile
constexpr std::size_t kWords = kSide * kSide;

typedef float Floats __attribute__((vector_size(64)));
typedef float UnalignedFloats __attribute__((vector_size(64), aligned(4)));
typedef std::int32_t Words __attribute__((vector_size(64)));

int tiles_of(int count) {
  return (count + kSide - 1) / kSide;
}

// ---- Into tiles ----

/// Of sixteen numbers, the last of them 0 if there are fewer.
Words words_of(const float* re, const float* im, int count) {
  alignas(64) float some[2][kSide] = {};
  if (count < kSide) {
    std::memcpy(some[0], re, sizeof(float) * std::size_t(count));
    if (im) std::memcpy(some[1], im, sizeof(float) * std::size_t(count));
    re = some[0], im = some[1];
  }
  return im ? narrowed(re) | narrowed(im) << 16 : narrowed(re);
}

/// The words of a tile of a factor, by its place in tiles.
Square<Words> take_tile(const ComplexFactor& factor, int tile_row, int tile_column) {
  const ComplexMatrix& m = factor.matrix;
  if (factor.transposed) std::swap(tile_row, tile_column);
  const int row = tile_row * kSide, column = tile_column * kSide;
  Square<Words> square{};
  for (int i = 0; i < kSide && row + i < m.rows; ++i) {
    const std::ptrdiff_t at = (row + i) * m.stride + column;
    square[std::size_t(i)] = words_of(m.re + at, m.im ? m.im + at : nullptr, m.columns - column);
  }
  if (factor.transposed) transpose(square);
  return square;
}

void store_square(const Square<Words>& square, std::int32_t* to) {
  std::memcpy(to, square.data(), sizeof square);
}

/// Both forms of a, [tile row][tile column].
void take_a(const ComplexFactor& a, std::int32_t* for_re, std::int32_t* for_im) {
  constexpr std::int32_t kHighSign = INT32_MIN, kLowSign = 0x8000;
  for (int i = 0; i < tiles_of(a.rows()); ++i) {
    for (int j = 0; j < tiles_of(a.columns()); ++j, for_re += kWords, for_im += kWords) {
      Square<Words> square = take_tile(a, i, j), turned;
      for (std::size_t r = 0; r < kSide; ++r) {
        turned[r] = square[r] << 16 | (square[r] >> 16 & 0xffff);
        (a.conjugate ? turned : square)[r] ^= a.conjugate ? kLowSign : kHighSign;
      }
      store_square(square, for_re);
      store_square(turned, for_im);
    }
  }
}

/// [tile column][tile row]
void take_b(const ComplexFactor& b, std::int32_t* to) {
  for (int j = 0; j < tiles_of(b.columns()); ++j) {
    for (int i = 0; i < tiles_of(b.rows()); ++i, to += kWords) store_square(take_tile(b, i, j), to);
  }
}

/// Out of a tile, what there is of it.
void give_tile(float scale, const float* sums, float* to, const ComplexMatrix& out, int row,
               int column) {
  for (int i = 0; i < kSide && row + i < out.rows; ++i, sums += kSide) {
    float* const line = to + (row + i) * out.stride + column;
    if (column + kSide <= out.columns) {
      *reinterpret_cast<UnalignedFloats*>(line) = scale * *reinterpret_cast<const Floats*>(sums);
    } else {
      for (int j = 0; column + j < out.columns; ++j) line[j] = scale * sums[j];
    }
  }
}

std::size_t scratch_size(const ComplexProduct& p) {
  const int m = tiles_of(p.out.rows), n = tiles_of(p.out.columns), depth = tiles_of(p.a.columns());
  return kWords * std::size_t(depth * (2 * m + n) + 1);
}

void multiply(const ComplexProduct& p, float* scratch) {
  const auto& [a, b, out, scale, next] = p;
  const int depth = tiles_of(a.columns()), m = tiles_of(out.rows), n = tiles_of(out.columns);
  auto* const a_re = reinterpret_cast<std::int32_t*>(scratch);
  std::int32_t* const a_im = a_re + m * depth * int(kWords);
  std::int32_t* const in_b = a_im + m * depth * int(kWords);
  auto* const sums = reinterpret_cast<float*>(in_b + n * depth * int(kWords));
  take_a(a, a_re, a_im);
  take_b(b, in_b);

  constexpr TileShape kWhole = {kSide, kSide};
  constexpr std::int64_t kRow = kSide * sizeof(float);
  const Tiles tiles({kWhole, kWhole, kWhole, kWhole, kWhole, kWhole, kWhole, kWhole});
  for (int j = 0; j < n; j += 2) {
    const bool both = j + 1 < n;
    for (int i = 0; i < m; ++i) {
      clear_tile<0>(), clear_tile<1>(), clear_tile<2>(), clear_tile<3>();
      for (int d = 0; d < depth; ++d) {
        const std::size_t of_a = std::size_t(i * depth + d) * kWords;
        const std::int32_t* of_b = in_b + std::size_t(j * depth + d) * kWords;
        load_tile<4>(a_re + of_a, kRow), load_tile<5>(a_im + of_a, kRow);
        load_tile<6>(of_b, kRow);
        add_products<0, 4, 6>(), add_products<1, 5, 6>();
        if (!both) continue;
        load_tile<7>(of_b + std::size_t(depth) * kWords, kRow);
        add_products<2, 4, 7>(), add_products<3, 5, 7>();
      }
      const auto give = [&]<int kTile>(std::integral_constant<int, kTile>, float* to, int column) {
        if (!to) return;
        store_tile<kTile>(sums, kRow);
        give_tile(scale, sums, to, out, i * kSide, column * kSide);
      };
      give(std::integral_constant<int, 0>{}, out.re, j);
      give(std::integral_constant<int, 1>{}, out.im, j);
      if (!both) continue;
      give(std::integral_constant<int, 2>{}, out.re, j + 1);
      give(std::integral_constant<int, 3>{}, out.im, j + 1);
    }
  }
}

}  // namespace

ComplexMultiplier complex_of_tiles() {
  return {multiply, scratch_size};
}

}  // namespace easgd::kernels
