// Included by each variant, once, behind pooled_windows_loops.h. F(4x4, 5x5) of [Lavin and Gray
// 2016], with the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity: where ' transposes and * is the
// product of like numbers, summed over input channels,
//   V = B' d B   d: 8x8 pixels    U = G w G'   w: 5x5 weights    y = A' (U * V) A   y: 4x4 outputs
// Numbers lie column by column.
#pragma once

namespace easgd::cpu {
namespace {

constexpr std::size_t kPatch = FilteredWindows::kPatch, kTile = 2 * FilteredWindows::kSide;
using Patch = std::array<Floats, kPatch>;
using Tile = std::array<Floats, kTile>;

/// B' d
inline Patch transform_input(const Patch& d) {
  const Floats a = d[2] - 4.25f * d[4] + d[6], b = d[1] - 4.25f * d[3] + d[5];
  const Floats e = 0.25f * d[2] - 1.25f * d[4] + d[6], f = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
  const Floats g = 4 * d[2] - 5 * d[4] + d[6], h = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];
  return {d[0] - d[6] + 5.25f * (d[4] - d[2]), a + b, a - b, e + f, e - f, g + h, g - h,
          d[7] - d[1] + 5.25f * (d[3] - d[5])};
}
/// A' m
inline Tile transform_output(const Patch& m) {
  const Floats a = m[1] + m[2], b = m[1] - m[2], e = m[3] + m[4], f = m[3] - m[4];
  const Floats g = m[5] + m[6], h = m[5] - m[6];
  return {m[0] + a + e + g, b + 2 * f + 0.5f * h, a + 4 * e + 0.25f * g,
          b + 8 * f + 0.125f * h + m[7]};
}

void transform_patch(const float* corner, std::size_t pixel, std::size_t line,
                     std::size_t in_channels, float* patch) {
  for (std::size_t c = 0; c < in_channels; ++c, corner += kLanes) {
    std::array<Patch, kPatch> columns;
    for (std::size_t i = 0; i < kPatch; ++i) {
      Patch row;
      for (std::size_t j = 0; j < kPatch; ++j) {
        row[j] = *reinterpret_cast<const UnalignedFloats*>(corner + i * line + j * pixel);
      }
      row = transform_input(row);
      for (std::size_t j = 0; j < kPatch; ++j) columns[j][i] = row[j];
    }
    for (std::size_t j = 0; j < kPatch; ++j) {
      const Patch column = transform_input(columns[j]);
      std::memcpy(patch + (j * in_channels + c) * kPatch * kLanes, &column, sizeof column);
    }
  }
}

void filter(const FilteredWindows& windows) {
  const float* w = windows.weight;
  for (std::size_t o = 0; o < windows.out_channels; ++o) {
    std::array<Patch, kTile> rows;
    const float* x = windows.patch;
    for (std::size_t j = 0; j < kPatch; ++j) {
      Patch column{};
      // What is added at the points 1 and 1 reaches every output once.
      if (j == 1) column[1] += windows.bias[o];
      for (std::size_t c = 0; c < windows.in_channels; ++c, x += kPatch * kLanes, w += kPatch) {
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kPatch; ++i) {
          column[i] += w[i] * *reinterpret_cast<const UnalignedFloats*>(x + i * kLanes);
        }
      }
      const Tile done = transform_output(column);
      for (std::size_t i = 0; i < kTile; ++i) rows[i][j] = done[i];
    }
    for (std::size_t i = 0; i < kTile; i += 2) {
      const Tile upper = transform_output(rows[i]), lower = transform_output(rows[i + 1]);
      for (std::size_t j = 0; j < kTile; j += 2) {
        keep_best(windows.outputs[i + j / 2], o, {upper[j], upper[j + 1], lower[j], lower[j + 1]});
      }
    }
  }
}

}  // namespace
}  // namespace easgd::cpu
