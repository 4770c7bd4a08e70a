// Pooling, one thread for each output; backward one for each input, which asks every window that it
// lies in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/layout_passes.h"

namespace easgd::kernels {

/// The windows of a batch in [N][C][H][W], or channels last, [N][H][W][C]. They may reach into
/// padding, in which nothing is.
struct Windows {
  /// Of the windows along one side of the image.
  struct Side {
    int inputs, outputs, kernel, stride, pad;

    /// Of the window `output`, before the image if it is negative.
    EASGD_HD int first_of(int output) const { return output * stride - pad; }
    EASGD_HD bool has(int input) const { return input >= 0 && input < inputs; }
    /// The first window that the input lies in.
    EASGD_HD int first_with(int input) const {
      const int reach = input + pad - kernel;
      return reach < 0 ? 0 : reach / stride + 1;
    }
    /// Whether the window begins at the input or before it.
    EASGD_HD bool has_begun(int output, int input) const {
      return output < outputs && first_of(output) <= input;
    }
  };

  int channels;
  Side down, right;
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
    return index(in.n, in.c, row, column, down.inputs, right.inputs);
  }
  EASGD_HD Index output(const Coordinates& in, int row, int column) const {
    return index(in.n, in.c, row, column, down.outputs, right.outputs);
  }
  /// Calls f(row, column) for each window that the input lies in.
  template <class Function>
  EASGD_HD void for_windows_of(const Coordinates& at, const Function& f) const {
    for (int r = down.first_with(at.row); down.has_begun(r, at.row); ++r) {
      for (int c = right.first_with(at.column); right.has_begun(c, at.column); ++c) f(r, c);
    }
  }
  /// Calls f(k, x) for each input of a window, in row-major order; k counts padding too.
  template <class Function>
  EASGD_HD void for_inputs_of(const Coordinates& window, const Function& f) const {
    const int top = down.first_of(window.row), left = right.first_of(window.column);
    const Index step = channels_last ? Index(channels) : 1, row_step = Index(right.inputs) * step;
    Index row = input(window, top, left);  // outside of the image modulo 2^32, and not used
    for (int r = 0, k = 0; r < down.kernel; ++r, row += row_step) {
      Index i = row;
      for (int c = 0; c < right.kernel; ++c, ++k, i += step) {
        if (down.has(top + r) && right.has(left + c)) f(k, i);
      }
    }
  }
  /// Which of its window's places the input has.
  EASGD_HD int place_of(const Coordinates& in, int row, int column) const {
    return (in.row - down.first_of(row)) * right.kernel + in.column - right.first_of(column);
  }
  EASGD_HD float area() const { return float(down.kernel * right.kernel); }
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
    const Windows::Coordinates at =
        windows.coordinates(i, windows.down.outputs, windows.right.outputs);
    float most = 0;
    int best = -1;
    windows.for_inputs_of(at, [&](int k, Index input) {
      const auto value = float(x[input]);
      if (best >= 0 && !(value > most)) return;
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
    const Windows::Coordinates at =
        windows.coordinates(i, windows.down.inputs, windows.right.inputs);
    float sum = add ? float(dx[i]) : 0.0f;
    windows.for_windows_of(at, [&](int row, int column) {
      const Index window = windows.output(at, row, column);
      if (int(argmax[window]) == windows.place_of(at, row, column)) sum += float(dy[window]);
    });
    dx[i] = T(sum);
  }
};

/// y = mean over the window, of whose padding every value is zero
template <class T>
struct AveragePoolForward {
  T* y;
  const T* x;
  Windows windows;

  EASGD_HD void operator()(std::size_t i) const {
    const Windows::Coordinates at =
        windows.coordinates(i, windows.down.outputs, windows.right.outputs);
    float sum = 0;
    windows.for_inputs_of(at, [&](int, Index input) { sum += float(x[input]); });
    y[i] = T(sum / windows.area());
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
    const Windows::Coordinates at =
        windows.coordinates(i, windows.down.inputs, windows.right.inputs);
    float sum = 0;
    windows.for_windows_of(
        at, [&](int row, int column) { sum += float(dy[windows.output(at, row, column)]); });
    dx[i] = T((add ? float(dx[i]) : 0.0f) + sum / windows.area());
  }
};

}  // namespace easgd::kernels
