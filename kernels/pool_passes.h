// Pooling, a thread a value; backward a thread an input, which asks every window that it lies in.
#pragma once

#include <cstddef>

#include "kernels/layout_passes.h"

namespace easgd::kernels {

/// The windows of a batch in [N][C][H][W], or channels last, [N][H][W][C].
struct Windows {
  int channels, height, width, kernel, stride, out_height, out_width;
  bool channels_last;

  struct Place {
    Index n, c;
    int row, column;
  };
  /// Of the value at i of a batch whose planes have so many rows and columns.
  EASGD_HD Place place(std::size_t i, int rows, int columns) const {
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
  EASGD_HD Index input(const Place& in, int row, int column) const {
    return index(in.n, in.c, row, column, height, width);
  }
  EASGD_HD Index output(const Place& in, int row, int column) const {
    return index(in.n, in.c, row, column, out_height, out_width);
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
  EASGD_HD Index maximum(const T* x, const Place& in, int row, int column) const {
    Index best = input(in, row * stride, column * stride);
    for (int k = 1; k < kernel * kernel; ++k) {
      const Index i = input(in, row * stride + k / kernel, column * stride + k % kernel);
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
    const Windows::Place at = windows.place(i, windows.out_height, windows.out_width);
    y[i] = x[windows.maximum(x, at, at.row, at.column)];
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
      if (windows.maximum(x, at, row, column) == Index(i)) {
        sum += float(dy[windows.output(at, row, column)]);
      }
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
    const Windows::Place at = windows.place(i, windows.out_height, windows.out_width);
    const int kernel = windows.kernel;
    const int top = at.row * windows.stride, left = at.column * windows.stride;
    float sum = 0;
    for (int k = 0; k < kernel * kernel; ++k) {
      sum += float(x[windows.input(at, top + k / kernel, left + k % kernel)]);
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
    windows.for_windows_of(
        at, [&](int row, int column) { sum += float(dy[windows.output(at, row, column)]); });
    dx[i] = T((add ? float(dx[i]) : 0.0f) + sum / float(windows.kernel * windows.kernel));
  }
};

}  // namespace easgd::kernels
