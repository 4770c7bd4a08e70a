// Pooling, a thread a value; backward a thread an input, which asks every window that it lies in.
#pragma once

#include <cstddef>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// The windows of a batch in [N][C][H][W], or channels last, [N][H][W][C].
struct Windows {
  int channels, height, width, kernel, stride, out_height, out_width;
  bool channels_last;

  /// Of a value in a plane of one channel of one sample.
  struct Place {
    std::size_t plane;
    int row, column;
  };
  EASGD_HD Place place(std::size_t i, int rows, int columns) const {
    const auto c = std::size_t(channels), h = std::size_t(rows), w = std::size_t(columns);
    if (!channels_last) return {i / (h * w), int(i / w % h), int(i % w)};
    return {i / (h * w * c) * c + i % c, int(i / (w * c) % h), int(i / c % w)};
  }
  EASGD_HD std::size_t index(std::size_t plane, int row, int column, int rows, int columns) const {
    const auto c = std::size_t(channels), h = std::size_t(rows), w = std::size_t(columns);
    const std::size_t pixel = std::size_t(row) * w + std::size_t(column);
    return channels_last ? (plane / c * h * w + pixel) * c + plane % c : plane * h * w + pixel;
  }
  EASGD_HD std::size_t input(std::size_t plane, int row, int column) const {
    return index(plane, row, column, height, width);
  }
  /// Calls f(row, column) for each window that the input lies in.
  template <class Function>
  EASGD_HD void for_windows_of(const Place& at, const Function& f) const {
    const auto first = [&](int x) { return x < kernel ? 0 : (x - kernel) / stride + 1; };
    for (int r = first(at.row); r < out_height && r * stride <= at.row; ++r) {
      for (int c = first(at.column); c < out_width && c * stride <= at.column; ++c) f(r, c);
    }
  }
  /// Where the first maximum of a window is, in its own row-major order.
  template <class T>
  EASGD_HD std::size_t maximum(const T* x, std::size_t plane, int row, int column) const {
    std::size_t best = input(plane, row * stride, column * stride);
    for (int k = 1; k < kernel * kernel; ++k) {
      const std::size_t i = input(plane, row * stride + k / kernel, column * stride + k % kernel);
      if (float(x[i]) > float(x[best])) best = i;
    }
    return best;
  }
};

/// y = max over the window
template <class T>
struct MaxPoolForward {
  T* y;
  const T* x;
  Windows windows;

  EASGD_HD void operator()(std::size_t i) const {
    const auto [plane, row, column] = windows.place(i, windows.out_height, windows.out_width);
    y[i] = x[windows.maximum(x, plane, row, column)];
  }
};

/// dx = the sum of dy over the windows whose first maximum it is
template <class T>
struct MaxPoolBackward {
  T* dx;
  const T* dy;
  const T* x;
  Windows windows;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Place at = windows.place(i, windows.height, windows.width);
    float sum = add ? float(dx[i]) : 0.0f;
    windows.for_windows_of(at, [&](int row, int column) {
      if (windows.maximum(x, at.plane, row, column) != i) return;
      sum += float(dy[windows.index(at.plane, row, column, windows.out_height, windows.out_width)]);
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
    const auto [plane, row, column] = windows.place(i, windows.out_height, windows.out_width);
    const int kernel = windows.kernel, top = row * windows.stride, left = column * windows.stride;
    float sum = 0;
    for (int k = 0; k < kernel * kernel; ++k) {
      sum += float(x[windows.input(plane, top + k / kernel, left + k % kernel)]);
    }
    y[i] = T(sum / float(kernel * kernel));
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
    const Windows::Place at = windows.place(i, windows.height, windows.width);
    float sum = 0;
    windows.for_windows_of(at, [&](int row, int column) {
      sum += float(dy[windows.index(at.plane, row, column, windows.out_height, windows.out_width)]);
    });
    dx[i] = T((add ? float(dx[i]) : 0.0f) + sum / float(windows.kernel * windows.kernel));
  }
};

}  // namespace easgd::kernels
