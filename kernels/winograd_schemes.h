// How kernels/winograd_conv2d.h filters one row or column, for kLanes channels side by side:
// whoever includes this says how many, has included <array>, and says for which processor.
//
// Symbols are those of kernels/winograd_loops.h.
#pragma once

namespace easgd::kernels {
namespace {

constexpr int kTile = 4, kKernel = 3;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float UnalignedVec
    __attribute__((vector_size(kLanes * sizeof(float)), aligned(alignof(float))));

inline Vec load(const float* p) {
  return *reinterpret_cast<const UnalignedVec*>(p);
}
inline void store(float* p, Vec v) {
  *reinterpret_cast<UnalignedVec*>(p) = v;
}

template <int kCount>
using Row = std::array<Vec, kCount>;
using Tile = Row<kTile>;
using Kernel = Row<kKernel>;

// Transforms are objects, to be compiled into what takes them.

/// F(4x4, 3x3) of [Lavin and Gray 2016], with the points 0, 1, -1, 2, -2 and infinity.
struct Stride1 {
  static constexpr int kStride = 1;
  static constexpr int kPatch = 6;    ///< inputs that a tile sees, in a row
  static constexpr int kPoints = 6;   ///< numbers of V in a row, and of D
  static constexpr int kWeights = 6;  ///< numbers of U in a row
  static constexpr int weight_of(int point) { return point; }

  /// B' d
  static constexpr auto input = [](const Row<kPatch>& d) -> Row<kPoints> {
    const Vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1];
    const Vec e = d[4] - d[2], f = 2 * (d[3] - d[1]);
    return {4 * d[0] - 5 * d[2] + d[4], a + b, a - b, e + f, e - f, 4 * d[1] - 5 * d[3] + d[5]};
  };
  /// B v
  static constexpr auto input_gradient = [](const Row<kPoints>& v) -> Row<kPatch> {
    const Vec a = v[1] + v[2], b = v[1] - v[2], e = v[3] + v[4], f = 2 * (v[3] - v[4]);
    return {4 * v[0],         4 * (v[5] - b) - f, -5 * v[0] - 4 * a - e,
            b + f - 5 * v[5], v[0] + a + e,       v[5]};
  };
  /// A' m
  static constexpr auto output = [](const Row<kPoints>& m) -> Tile {
    const Vec a = m[1] + m[2], b = m[1] - m[2], e = m[3] + m[4], f = m[3] - m[4];
    return {m[0] + a + e, b + 2 * f, a + 4 * e, b + 8 * f + m[5]};
  };
  /// A y
  static constexpr auto output_gradient = [](const Tile& y) -> Row<kPoints> {
    const Vec a = y[0] + y[2], b = y[1] + y[3], e = y[0] + 4 * y[2], f = 2 * y[1] + 8 * y[3];
    return {y[0], a + b, a - b, e + f, e - f, y[3]};
  };
  /// G w
  static constexpr auto kernel = [](const Kernel& w) -> Row<kWeights> {
    const Vec a = (w[0] + w[2]) * (-1 / 6.0f), b = w[1] * (1 / 6.0f);
    const Vec e = w[0] * (1 / 24.0f) + w[2] * (1 / 6.0f), f = w[1] * (1 / 12.0f);
    return {w[0] * 0.25f, a - b, a + b, e + f, e - f, w[2]};
  };
  /// G' u
  static constexpr auto kernel_gradient = [](const Row<kWeights>& u) -> Kernel {
    const Vec a = (u[1] + u[2]) * (-1 / 6.0f), b = (u[2] - u[1]) * (1 / 6.0f), e = u[3] + u[4];
    return {u[0] * 0.25f + a + e * (1 / 24.0f), b + (u[3] - u[4]) * (1 / 12.0f),
            a + e * (1 / 6.0f) + u[5]};
  };
};

/// Every other output: y[i] = w0 d[2i] + w2 d[2i + 2] + w1 d[2i + 1] is F(4, 2) of the even inputs,
/// with the points 0, 1, -1, 2 and infinity, and a product of each odd one. So 81 products take the
/// place of 144, with 36 numbers of a kernel.
struct Stride2 {
  static constexpr int kStride = 2;
  static constexpr int kPatch = 9, kPoints = 9, kWeights = 6;
  static constexpr int weight_of(int point) { return point < 5 ? point : 5; }

  static constexpr auto input = [](const Row<kPatch>& d) -> Row<kPoints> {
    const Vec a = d[6] - d[4];
    return {2 * (d[0] - d[4]) - d[2] + d[6],
            a - 2 * d[2],
            a - 2 * (d[4] - d[2]),
            d[6] - d[2],
            d[8] - 2 * (d[6] - d[2]) - d[4],
            d[1],
            d[3],
            d[5],
            d[7]};
  };
  static constexpr auto input_gradient = [](const Row<kPoints>& v) -> Row<kPatch> {
    return {2 * v[0],
            v[5],
            2 * (v[2] + v[4] - v[1]) - v[0] - v[3],
            v[6],
            -2 * v[0] - v[1] - 3 * v[2] - v[4],
            v[7],
            v[0] + v[1] + v[2] + v[3] - 2 * v[4],
            v[8],
            v[4]};
  };
  static constexpr auto output = [](const Row<kPoints>& m) -> Tile {
    const Vec a = m[1] + m[2], b = m[1] - m[2];
    return {m[0] + a + m[3] + m[5], b + 2 * m[3] + m[6], a + 4 * m[3] + m[7],
            b + 8 * m[3] + m[4] + m[8]};
  };
  static constexpr auto output_gradient = [](const Tile& y) -> Row<kPoints> {
    const Vec a = y[0] + y[2], b = y[1] + y[3];
    return {y[0], a + b, a - b, y[0] + 2 * y[1] + 4 * y[2] + 8 * y[3], y[3], y[0],
            y[1], y[2],  y[3]};
  };
  static constexpr auto kernel = [](const Kernel& w) -> Row<kWeights> {
    return {w[0] * 0.5f,
            (w[0] + w[2]) * -0.5f,
            (w[2] - w[0]) * (1 / 6.0f),
            w[0] * (1 / 6.0f) + w[2] * (1 / 3.0f),
            w[2],
            w[1]};
  };
  static constexpr auto kernel_gradient = [](const Row<kWeights>& u) -> Kernel {
    return {(u[0] - u[1]) * 0.5f + (u[3] - u[2]) * (1 / 6.0f), u[5],
            u[1] * -0.5f + u[2] * (1 / 6.0f) + u[3] * (1 / 3.0f) + u[4]};
  };
};

}  // namespace
}  // namespace easgd::kernels
