#pragma once

namespace easgd::kernels {

/// A convolution with `pad` zeros on every side of the input.
struct Conv2dShape {
  int batch;
  int in_channels;
  int height;
  int width;
  int out_channels;
  int kernel_height;
  int kernel_width;
  int pad;
  int stride = 1;

  int out_height() const { return out(height, kernel_height); }
  int out_width() const { return out(width, kernel_width); }

 private:
  /// None where the kernel has no room.
  int out(int length, int kernel) const {
    const int room = length + 2 * pad - kernel;
    return room < 0 ? 0 : room / stride + 1;
  }
};

}  // namespace easgd::kernels
