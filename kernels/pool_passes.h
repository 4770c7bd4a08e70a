// Pooling, one thread for each output; backward one for each input, which asks every window that it
// lies in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/layout_passes.h"

namespace easgd::kernels {

/// The windows of a batch in [N][C][H][W], or channels last, [N][H][W][C].
struct Windows {
  int channels, height, width, kernel, stride, out_height, out_width;
  bool channels_last;

  struct Coordinates {
    Index n, c;
    int row, column;
  };
  /// Of the value at i of a batch whose planes have so many rows and columns.
  EASGD_HD Coordinates coordinates(std::size_t i, int rows, int columns) const {
    const Index all = Index(channels), h = Index(rows), w = Index(columns);
    const Index pixel = channels_last ? Index(i) / all : Index(i);  // or more: of all planes
    const Index above = pixel / w, plane = above / h;
    return {channels_last ? plane : plane / all, channels_last ? Index(i) % all : plane % all,
            int(above % h), int(pixel % w)};
  }
  EASGD_HD Index index(Index n, Index c, int row, int column, int rows, int columns) const {
    const Index all = Index(channels), h = Index(rows), w = Index(columns);
    return channels_last ? ((n * h + Index(row)) * w + Index(column)) * all + c
                         : ((n * all + c) * h + Index(row)) * w + Index(column);
  }
  EASGD_HD Index input(const Coordinates& in, int row, int column) const {
    return index(in.n, in.c, row, column, height, width);
  }
  EASGD_HD Index output(const Coordinates& in, int row, int column) const {
    return index(in.n, in.c, row, column, out_height, out_width);
  }
  /// Calls f(row, column) for each window that the input lies in.
  template <class Function>
  EASGD_HD void for_windows_of(const Coordinates& at, const Function& f) const {
    const auto first = [&](int x) { return x < kernel ? 0 : (x - kernel) / stride + 1; };
    for (int r = first(at.row); r < out_height && r * stride <= at.row; ++r) {
      for (int c = first(at.column); c < out_width && c * stride <= at.column; ++c) f(r, c);
    }
  }
  /// Calls f(k, x) for each input of a window, in row-major order.
  template <class Function>
  EASGD_HD void for_inputs_of(const Coordinates& window, const Function& f) const {
    const Index right = channels_last ? Index(channels) : 1, down = Index(width) * right;
    Index row = input(window, window.row * stride, window.column * stride);
    for (int r = 0, k = 0; r < kernel; ++r, row += down) {
      Index i = row;
      for (int c = 0; c < kernel; ++c, ++k, i += right) f(k, i);
    }
  }
};

/// y = max over the window; argmax = the first of its inputs that has it, which fits 16 bits
/// because a kernel's side is at most 64 (src/nn/pool2d.cpp)
template <class T>
struct MaxPoolForward {
  T* y;
  std::uint16_t* argmax;
  const T* x;
  Windows windows;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Coordinates at = windows.coordinates(i, windows.out_height, windows.out_width);
    float most = 0;
    int best = 0;
    windows.for_inputs_of(at, [&](int k, Index input) {
      const auto value = float(x[input]);
      if (k > 0 && !(value > most)) return;
      most = value;
      best = k;
    });
    y[i] = T(most);
    argmax[i] = std::uint16_t(best);
  }
};

/// dx = the sum of dy over the windows of which it is the argmax
template <class T>
struct MaxPoolBackward {
  T* dx;
  const T* dy;
  const std::uint16_t* argmax;
  Windows windows;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Coordinates at = windows.coordinates(i, windows.height, windows.width);
    float sum = add ? float(dx[i]) : 0.0f;
    windows.for_windows_of(at, [&](int row, int column) {
      const Index window = windows.output(at, row, column);
      const int k =
          (at.row - row * windows.stride) * windows.kernel + at.column - column * windows.stride;
      if (int(argmax[window]) == k) sum += float(dy[window]);
    });
    dx[i] = T(sum);
  }
};

/// y = mean over the window
template <class T>
struct AveragePoolForward {
  T* y;
  const T* x;
  Windows windows;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Coordinates at = windows.coordinates(i, windows.out_height, windows.out_width);
    float sum = 0;
    windows.for_inputs_of(at, [&](int, Index input) { sum += float(x[input]); });
    y[i] = T(sum / float(windows.kernel * windows.kernel));
  }
};

/// dx = the sum of dy over the windows it lies in / |window|
template <class T>
struct AveragePoolBackward {
  T* dx;
  const T* dy;
  Windows windows;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Coordinates at = windows.coordinates(i, windows.height, windows.width);
    float sum = 0;
    windows.for_windows_of(
        at, [&](int row, int column) { sum += float(dy[windows.output(at, row, column)]); });
    dx[i] = T((add ? float(dx[i]) : 0.0f) + sum / float(windows.kernel * windows.kernel));
  }
};

}  // namespace easgd::kernels
