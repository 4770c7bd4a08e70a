#pragma once

namespace easgd::kernels {

/// A stride-1 convolution with `pad` zeros on every side of the input.
struct Conv2dShape {
  int batch;
  int in_channels;
  int height;
  int width;
  int out_channels;
  int kernel_height;
  int kernel_width;
  int pad;

  int out_height() const { return height + 2 * pad - kernel_height + 1; }
  int out_width() const { return width + 2 * pad - kernel_width + 1; }
};

}  // namespace easgd::kernels
