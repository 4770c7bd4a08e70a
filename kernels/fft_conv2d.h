#pragma once

#include <cstddef>
#include <memory>

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

/// Stride-1 2-D convolution (cross-correlation, as in every deep-learning library) through the
/// Fourier transform. Tensors are dense, the batch innermost:
///   x [C][H][W][N], y [K][OH][OW][N], weight [K][C][kh][kw], bias [K].
/// Every call uses an OpenMP team of omp_get_max_threads(); the bits of the results do not depend
/// on the size of the team. An object serves one call at a time.
class FftConv2d {
 public:
  /// Allocates every workspace; no other member allocates. Throws std::invalid_argument for a
  /// shape without output, or if a side plus `pad`, an output side or a kernel side exceeds 32.
  explicit FftConv2d(const Conv2dShape& shape);
  ~FftConv2d();
  FftConv2d(FftConv2d&&) noexcept;
  FftConv2d& operator=(FftConv2d&&) noexcept;

  /// Whether forward plus backward is expected to be faster this way than directly. A function of
  /// the shape alone, so that the same shape always computes the same bits.
  static bool worth_it(const Conv2dShape& shape);

  /// Of all workspaces.
  std::size_t bytes() const;

  /// y = conv(x, weight) + bias. Keeps the spectra of x and weight for one backward().
  /// bias may be null.
  void forward(const float* x, const float* weight, const float* bias, float* y);

  /// Gradients of the last forward(), overwriting their targets. dx and dbias may be null.
  /// Consumes the kept spectra: call it at most once for each forward().
  void backward(const float* dy, float* dx, float* dweight, float* dbias);

 private:
  class Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace easgd::kernels
