// Legend
//
// A convolution becomes a product of spectra on a grid of P x Q points, just wide enough that
// circular wrap-around meets only zeros. With ^ for the 2-D transform and f for one frequency:
//   y^[f]  = conj(w^[f]) x^[f]              K x N  =  K x C  times  C x N
//   dx^[f] = transpose(w^[f]) dy^[f]        C x N  =  C x K  times  K x N
//   dw^[f] = conj(dy^[f]) transpose(x^[f])  K x C  =  K x N  times  N x C
// so every frequency is one complex matrix product, done as three real ones (Gauss).
//
// Symbols: N batch, C and K input and output channels, F = P * Q.
// The spectrum of P x Q reals is F reals, one "plane" each, packed as in kernels/dft.h. Rows are
// transformed first, then columns: columns 0 and 1 of the packed rows are real and pack the same
// way, columns 2j and 2j + 1 are the real and the imaginary part of a complex one.
// The images (for weights: the kernels of (k, c) pairs) of a chunk are transformed side by side.
// Spectra are stored [plane][channel][lane], so that a plane is an operand of a matrix product.
// Inverse transforms are not normalised; the products carry their factor 1 / F.
#include "kernels/fft_conv2d.h"

#include <dnnl.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "base/view.h"
#include "kernels/dft.h"

namespace easgd::kernels {
namespace {

constexpr int kCacheLine = 16;  // floats in a cache line
constexpr int kChunk = 128;     // lanes transformed together, long enough to read memory in runs

// ---- Transforms of tensors ----

constexpr int round_up(int value, int unit) {
  return (value + unit - 1) / unit * unit;
}

/// Where the images of a tensor lie: pixel p of image `lane` of a channel is at
/// channel * channel_stride + p * pixel_stride + lane * lane_stride.
/// Pixel row i stands in row (i - shift) mod P of the grid, columns alike.
struct Layout {
  int channels, height, width, lanes;
  std::ptrdiff_t channel_stride, pixel_stride, lane_stride;
  int shift;
};

/// The planes of a frequency; im is -1 where the spectrum is real.
struct Frequency {
  int re, im;
};

/// The parts of a frequency's matrix; im is null if it is real.
struct Planes {
  float *re, *im;
};

/// F planes of [channels][stride]; the lanes of a channel from its length to `stride` are padding.
struct Spectra {
  Spectra(int planes, int channels, int lanes_stride)
      : stride(lanes_stride),
        // One line more than needed: planes a power of two apart would share one cache set.
        plane_stride(round_up(channels * stride, kCacheLine) + kCacheLine),
        buffer(host_buffer(std::size_t(planes * plane_stride))) {}
  float* plane(int p) const { return buffer.data() + p * plane_stride; }
  Planes planes(Frequency f) const { return {plane(f.re), f.im < 0 ? nullptr : plane(f.im)}; }

  int stride;
  std::ptrdiff_t plane_stride;
  Buffer buffer;
};

/// The transforms of columns (length P) and rows (length Q); they take `lanes` signals at once.
struct Grid {
  const Dft *columns, *rows;
  int lanes;
  int height() const { return columns->length; }
  int width() const { return rows->length; }
  int size() const { return height() * width(); }
};

/// Transforms one tensor, kChunk lanes of a channel at a time, in scratch memory.
class Transform {
 public:
  Transform(const Grid& grid, const Layout& layout, const Spectra& spectra, float* scratch)
      : grid_(grid),
        layout_(layout),
        spectra_(spectra),
        cells_(scratch),
        stage_(cells_ + grid.size() * kChunk),
        zeros_(stage_ + layout.height * layout.width * kChunk),
        sink_(zeros_ + kChunk) {
    std::fill_n(zeros_, kChunk, 0.0f);
  }

  static std::size_t scratch_size(const Grid& grid, const Layout& layout) {
    return (grid.size() + layout.height * layout.width + 2) * std::size_t{kChunk};
  }

  /// Fills the spectra of a channel's lanes [lane, lane + kChunk) from `tensor`.
  void forward(const float* tensor, int channel, int lane) const {
    const float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    const int lanes = std::min(kChunk, layout_.lanes - lane);
    if (is_dense(lanes)) {
      forward_rows(pixels, layout_.pixel_stride, lanes);
    } else {
      gather(pixels, lanes);
      forward_rows(stage_, kChunk, whole(lanes));
    }
    forward_columns(spectra_.plane(0) + channel * spectra_.stride + lane, whole(lanes));
  }

  /// The reverse, times F.
  void inverse(float* tensor, int channel, int lane) const {
    float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    const int lanes = std::min(kChunk, layout_.lanes - lane);
    inverse_columns(spectra_.plane(0) + channel * spectra_.stride + lane, whole(lanes));
    if (is_dense(lanes)) {
      inverse_rows(pixels, layout_.pixel_stride, lanes);
    } else {
      inverse_rows(stage_, kChunk, whole(lanes));
      scatter(pixels, lanes);
    }
  }

 private:
  /// Whether the codelets can work on the tensor itself.
  bool is_dense(int lanes) const { return layout_.lane_stride == 1 && lanes % grid_.lanes == 0; }

  void gather(const float* pixels, int lanes) const {
    for (int p = 0; p < layout_.height * layout_.width; ++p) {
      float* stage = stage_ + p * kChunk;
      const float* pixel = pixels + p * layout_.pixel_stride;
      for (int i = 0; i < lanes; ++i) stage[i] = pixel[i * layout_.lane_stride];
      std::fill(stage + lanes, stage + whole(lanes), 0.0f);
    }
  }

  void scatter(float* pixels, int lanes) const {
    for (int p = 0; p < layout_.height * layout_.width; ++p) {
      const float* stage = stage_ + p * kChunk;
      float* pixel = pixels + p * layout_.pixel_stride;
      for (int i = 0; i < lanes; ++i) pixel[i * layout_.lane_stride] = stage[i];
    }
  }

  int whole(int lanes) const { return round_up(lanes, grid_.lanes); }

  /// The pixel row in a row of the grid; layout_.height or more if there is none.
  int pixel_row(int row) const { return (row + layout_.shift) % grid_.height(); }
  int pixel_column(int column) const { return (column + layout_.shift) % grid_.width(); }
  bool is_empty(int row) const { return pixel_row(row) >= layout_.height; }

  float* cell(int row, int column) const {
    return cells_ + (row * grid_.width() + column) * kChunk;
  }

  /// The address of the pixel in a point of the grid, or `none`.
  template <class Float>
  Float* pixel(Float* pixels, std::ptrdiff_t stride, int row, int column, Float* none) const {
    const int x = pixel_column(column);
    return x < layout_.width ? pixels + (pixel_row(row) * layout_.width + x) * stride : none;
  }

  void forward_rows(const float* pixels, std::ptrdiff_t stride, int lanes) const {
    const float* in[kMaxDftLength];
    float* out[kMaxDftLength];
    for (int row = 0; row < grid_.height(); ++row) {
      if (is_empty(row)) continue;
      for (int column = 0; column < grid_.width(); ++column) {
        in[column] = pixel<const float>(pixels, stride, row, column, zeros_);
        out[column] = cell(row, column);
      }
      grid_.rows->real_forward(in, out, lanes);
    }
  }

  void inverse_rows(float* pixels, std::ptrdiff_t stride, int lanes) const {
    const float* in[kMaxDftLength];
    float* out[kMaxDftLength];
    for (int row = 0; row < grid_.height(); ++row) {
      if (is_empty(row)) continue;
      for (int column = 0; column < grid_.width(); ++column) {
        in[column] = cell(row, column);
        out[column] = pixel(pixels, stride, row, column, sink_);
      }
      grid_.rows->real_inverse(in, out, lanes);
    }
  }

  void forward_columns(float* spectrum, int lanes) const {
    const float* in[2 * kMaxDftLength];
    float* out[2 * kMaxDftLength];
    for (int column = 0, parts = 1; column < grid_.width(); column += parts) {
      parts = column < 2 ? 1 : 2;
      for (int i = 0; i < parts * grid_.height(); ++i) {
        const int row = i / parts, c = column + i % parts;
        in[i] = is_empty(row) ? zeros_ : cell(row, c);
        out[i] = spectrum + (row * grid_.width() + c) * spectra_.plane_stride;
      }
      (parts == 1 ? grid_.columns->real_forward : grid_.columns->complex_forward)(in, out, lanes);
    }
  }

  void inverse_columns(const float* spectrum, int lanes) const {
    const float* in[2 * kMaxDftLength];
    float* out[2 * kMaxDftLength];
    for (int column = 0, parts = 1; column < grid_.width(); column += parts) {
      parts = column < 2 ? 1 : 2;
      for (int i = 0; i < parts * grid_.height(); ++i) {
        const int row = i / parts, c = column + (parts - 1 - i % parts);  // real, imaginary swapped
        in[i] = spectrum + (row * grid_.width() + c) * spectra_.plane_stride;
        out[i] = is_empty(row) ? sink_ : cell(row, c);
      }
      (parts == 1 ? grid_.columns->real_inverse : grid_.columns->complex_forward)(in, out, lanes);
    }
  }

  const Grid& grid_;
  const Layout& layout_;
  const Spectra& spectra_;
  float* cells_;  // [P][Q][kChunk], rows transformed
  float* stage_;  // [height][width][kChunk], the pixels if they are not dense
  float* zeros_;  // [kChunk], read in place of pixels that do not exist
  float* sink_;   // [kChunk], written in place of pixels that do not exist
};

// ---- Matrix products ----

/// One of every pair of conjugate frequencies, by the packing above.
std::vector<Frequency> list_frequencies(const Grid& grid) {
  const int width = grid.width();
  std::vector<Frequency> frequencies;
  for (int column = 2; column < width; column += 2) {
    for (int p = column; p < grid.size(); p += width) frequencies.push_back({p, p + 1});
  }
  for (int column : {0, 1}) {
    for (int p = 2 * width + column; p < grid.size(); p += 2 * width) {
      frequencies.push_back({p, p + width});
    }
    frequencies.push_back({column, -1});
    frequencies.push_back({width + column, -1});
  }
  return frequencies;
}

void add(const float* a, const float* b, int count, float* sum) {
  for (int i = 0; i < count; ++i) sum[i] = a[i] + b[i];
}
void subtract(const float* a, const float* b, int count, float* difference) {
  for (int i = 0; i < count; ++i) difference[i] = a[i] - b[i];
}

/// c = scale * a * b, or c += it: row-major, a is m x k and b is k x n after transposition.
struct MatrixProduct {
  char transpose_a, transpose_b;  // 'N' or 'T'
  int m, n, k, stride_a, stride_b, stride_c;

  void assign(float scale, const float* a, const float* b, float* c) const {
    run(scale, a, b, 0, c);
  }
  void add(float scale, const float* a, const float* b, float* c) const { run(scale, a, b, 1, c); }

 private:
  void run(float scale, const float* a, const float* b, float beta, float* c) const {
    const auto status = dnnl_sgemm(transpose_a, transpose_b, m, n, k, scale, a, stride_a, b,
                                   stride_b, beta, c, stride_c);
    if (status != dnnl_success) throw std::bad_alloc();
  }
};

Layout batch_layout(const Conv2dShape& s, int channels, int height, int width, int shift) {
  return {channels, height, width, s.batch, std::ptrdiff_t{1} * height * width * s.batch,
          s.batch,  1,      shift};
}

/// The smallest grid for a shape; a member is null if no transform is long enough.
Grid find_grid(const Conv2dShape& s, const Dfts& dfts = all_dfts()[0]) {
  return {dfts.find(std::max({s.height + s.pad, s.out_height(), s.kernel_height})),
          dfts.find(std::max({s.width + s.pad, s.out_width(), s.kernel_width})), dfts.lanes};
}

Grid checked_grid(const Conv2dShape& s, const Dfts& dfts) {
  if (std::min({s.batch, s.in_channels, s.out_channels, s.out_height(), s.out_width()}) < 1) {
    throw std::invalid_argument("FftConv2d: nothing to compute");
  }
  const Grid grid = find_grid(s, dfts);
  if (!grid.columns || !grid.rows) throw std::invalid_argument("FftConv2d: input too large");
  return grid;
}

/// The kernels of all pairs of channels side by side.
Layout weight_layout(const Conv2dShape& s) {
  return {1,
          s.kernel_height,
          s.kernel_width,
          s.out_channels * s.in_channels,
          0,
          1,
          s.kernel_height * s.kernel_width,
          0};
}

/// For the calling thread, of its own, until it asks again.
float* scratch_of_thread(std::size_t floats) {
  thread_local Buffer buffer;
  if (buffer.size() < floats) buffer = host_buffer(floats);
  return buffer.data();
}

}  // namespace

class FftConv2d::Weights::Plan {
 public:
  Plan(const Conv2dShape& shape, const Dfts& dfts)
      : grid_(checked_grid(shape, dfts)),
        layout_(weight_layout(shape)),
        stride_(round_up(layout_.lanes, kCacheLine)),
        spectra_(grid_.size(), 1, stride_) {}

  std::size_t tasks() const { return std::size_t((layout_.lanes + kChunk - 1) / kChunk); }
  void transform(const float* weight, std::size_t task) const {
    transform_of(spectra_).forward(weight, 0, int(task) * kChunk);
  }
  void gradient(float* dweight, std::size_t task) const;
  const Grid& grid() const { return grid_; }
  const Spectra& spectra() const { return spectra_; }
  /// Of the gradient of one more piece.
  Spectra& add_piece() {
    return *gradients_.emplace_back(std::make_unique<Spectra>(grid_.size(), 1, stride_));
  }
  std::size_t bytes() const {
    return (1 + gradients_.size()) * spectra_.buffer.size() * sizeof(float);
  }

 private:
  Transform transform_of(const Spectra& spectra) const {
    return {grid_, layout_, spectra, scratch_of_thread(Transform::scratch_size(grid_, layout_))};
  }

  Grid grid_;
  Layout layout_;
  int stride_;
  Spectra spectra_;                                  // [F][K * C]
  std::vector<std::unique_ptr<Spectra>> gradients_;  // [F][K * C] of each piece
};

void FftConv2d::Weights::Plan::gradient(float* dweight, std::size_t task) const {
  const Spectra& sum = *gradients_.front();
  const int begin = int(task) * kChunk, end = std::min(begin + kChunk, stride_);
  for (std::size_t piece = 1; piece < gradients_.size(); ++piece) {
    for (int p = 0; p < grid_.size(); ++p) {
      float* to = sum.plane(p);
      const float* from = gradients_[piece]->plane(p);
      for (int i = begin; i < end; ++i) to[i] += from[i];
    }
  }
  transform_of(sum).inverse(dweight, 0, begin);
}

class FftConv2d::Plan {
 public:
  Plan(const Conv2dShape& shape, Weights& weights);
  void forward(const float* x, const float* bias, float* y);
  void backward(const float* dy, float* dx, float* dbias);
  std::size_t bytes() const { return (x_.buffer.size() + y_.buffer.size()) * sizeof(float); }

 private:
  /// Calls step(transform, channel, lane) for every chunk of a tensor.
  template <class Step>
  void for_each_chunk(const Layout& layout, const Spectra& spectra, Step step) const;
  void multiply_forward(Frequency f, float* scratch) const;
  void multiply_backward(Frequency f, bool need_dx, float* scratch) const;
  float* scratch_of_products() const;

  int out_channels_, in_channels_;
  Grid grid_;
  Layout x_layout_, y_layout_;
  std::vector<Frequency> frequencies_;
  float scale_;  // 1 / F
  int stride_;   // of the batch in the spectra of x and y
  const Spectra& weight_;
  Spectra& dweight_;
  Spectra x_;  // [F][C][stride_], after backward() of dx
  Spectra y_;  // [F][K][stride_], after backward() of dy
};

FftConv2d::Plan::Plan(const Conv2dShape& s, Weights& weights)
    : out_channels_(s.out_channels),
      in_channels_(s.in_channels),
      grid_(weights.plan_->grid()),
      x_layout_(batch_layout(s, s.in_channels, s.height, s.width, 0)),
      y_layout_(batch_layout(s, s.out_channels, s.out_height(), s.out_width(), s.pad)),
      frequencies_(list_frequencies(grid_)),
      scale_(1.0f / static_cast<float>(grid_.size())),
      // An odd number of lines, for the sake of the cache sets.
      stride_((round_up(s.batch, kCacheLine) / kCacheLine | 1) * kCacheLine),
      weight_(weights.plan_->spectra()),
      dweight_(weights.plan_->add_piece()),
      x_(grid_.size(), s.in_channels, stride_),
      y_(grid_.size(), s.out_channels, stride_) {}

float* FftConv2d::Plan::scratch_of_products() const {
  const std::size_t weights = std::size_t(out_channels_) * std::size_t(in_channels_);
  return scratch_of_thread(weights +
                           2 * std::size_t(in_channels_ + out_channels_) * std::size_t(stride_));
}

template <class Step>
void FftConv2d::Plan::for_each_chunk(const Layout& layout, const Spectra& spectra,
                                     Step step) const {
  const Transform transform(grid_, layout, spectra,
                            scratch_of_thread(Transform::scratch_size(grid_, layout)));
  for (int channel = 0; channel < layout.channels; ++channel) {
    for (int lane = 0; lane < layout.lanes; lane += kChunk) step(transform, channel, lane);
  }
}

/// With w = a + ib and x = c + id, conj(w) x = (a - b) c + b (c + d) + i [(a - b) c - a (c - d)].
void FftConv2d::Plan::multiply_forward(Frequency f, float* scratch) const {
  const int k = out_channels_, c = in_channels_;
  const MatrixProduct product = {'N', 'N', k, x_layout_.lanes, c, c, stride_, stride_};
  const Planes w = weight_.planes(f), x = x_.planes(f), y = y_.planes(f);
  if (!w.im) return product.assign(scale_, w.re, x.re, y.re);

  float* const w_difference = scratch;              // [K][C]
  float* const x_sum = w_difference + k * c;        // [C][stride_]
  float* const x_difference = x_sum + c * stride_;  // [C][stride_]
  subtract(w.re, w.im, k * c, w_difference);
  add(x.re, x.im, c * stride_, x_sum);
  subtract(x.re, x.im, c * stride_, x_difference);
  product.assign(scale_, w_difference, x.re, y.re);
  std::copy_n(y.re, k * stride_, y.im);
  product.add(scale_, w.im, x_sum, y.re);
  product.add(-scale_, w.re, x_difference, y.im);
}

/// With w = a + ib, x = p + iq and dy = c + id,
///   conj(dy) x = c (p + q) - (c - d) q + i [c (p + q) - (c + d) p],
///   w dy       = (a + b) c - b (c + d) + i [(a + b) c - a (c - d)].
void FftConv2d::Plan::multiply_backward(Frequency f, bool need_dx, float* scratch) const {
  const int k = out_channels_, c = in_channels_, n = x_layout_.lanes;
  const MatrixProduct for_dw = {'N', 'T', k, c, n, stride_, stride_, c};
  const MatrixProduct for_dx = {'T', 'N', c, n, k, c, stride_, stride_};
  const Planes w = weight_.planes(f), x = x_.planes(f), dy = y_.planes(f);
  const Planes dw = dweight_.planes(f), dx = x;
  if (!w.im) {
    for_dw.assign(scale_, dy.re, x.re, dw.re);
    if (need_dx) for_dx.assign(scale_, w.re, dy.re, dx.re);
    return;
  }

  float* const dy_sum = scratch;                      // [K][stride_]
  float* const dy_difference = dy_sum + k * stride_;  // [K][stride_]
  float* const x_sum = dy_difference + k * stride_;   // [C][stride_]
  float* const w_sum = x_sum + c * stride_;           // [K][C]
  add(dy.re, dy.im, k * stride_, dy_sum);
  subtract(dy.re, dy.im, k * stride_, dy_difference);
  add(x.re, x.im, c * stride_, x_sum);
  for_dw.assign(scale_, dy.re, x_sum, dw.re);
  std::copy_n(dw.re, k * c, dw.im);
  for_dw.add(-scale_, dy_difference, x.im, dw.re);
  for_dw.add(-scale_, dy_sum, x.re, dw.im);
  if (!need_dx) return;

  add(w.re, w.im, k * c, w_sum);
  for_dx.assign(scale_, w_sum, dy.re, dx.re);
  std::copy_n(dx.re, c * stride_, dx.im);
  for_dx.add(-scale_, w.im, dy_sum, dx.re);
  for_dx.add(-scale_, w.re, dy_difference, dx.im);
}

void FftConv2d::Plan::forward(const float* x, const float* bias, float* y) {
  for_each_chunk(x_layout_, x_, [x](const Transform& transform, int channel, int lane) {
    transform.forward(x, channel, lane);
  });
  float* const scratch = scratch_of_products();
  for (const Frequency& f : frequencies_) multiply_forward(f, scratch);
  for (int k = 0; bias && k < out_channels_; ++k) {  // plane 0 holds the sums of the grids
    float* sums = y_.plane(0) + k * stride_;
    for (int n = 0; n < y_layout_.lanes; ++n) sums[n] += bias[k];
  }
  for_each_chunk(y_layout_, y_, [y](const Transform& transform, int channel, int lane) {
    transform.inverse(y, channel, lane);
  });
}

void FftConv2d::Plan::backward(const float* dy, float* dx, float* dbias) {
  for_each_chunk(y_layout_, y_, [dy](const Transform& transform, int channel, int lane) {
    transform.forward(dy, channel, lane);
  });
  for (int k = 0; dbias && k < out_channels_; ++k) {
    const float* sums = y_.plane(0) + k * stride_;
    dbias[k] = std::accumulate(sums, sums + y_layout_.lanes, 0.0f);
  }
  float* const scratch = scratch_of_products();
  for (const Frequency& f : frequencies_) multiply_backward(f, dx != nullptr, scratch);
  if (!dx) return;
  for_each_chunk(x_layout_, x_, [dx](const Transform& transform, int channel, int lane) {
    transform.inverse(dx, channel, lane);
  });
}

FftConv2d::Weights::Weights(const Conv2dShape& shape, const Dfts& dfts)
    : plan_(std::make_unique<Plan>(shape, dfts)) {}
FftConv2d::Weights::~Weights() = default;
std::size_t FftConv2d::Weights::tasks() const {
  return plan_->tasks();
}
void FftConv2d::Weights::transform(const float* weight, std::size_t task) {
  plan_->transform(weight, task);
}
void FftConv2d::Weights::gradient(float* dweight, std::size_t task) {
  plan_->gradient(dweight, task);
}
std::size_t FftConv2d::Weights::bytes() const {
  return plan_->bytes();
}

FftConv2d::FftConv2d(const Conv2dShape& shape, Weights& weights)
    : plan_(std::make_unique<Plan>(shape, weights)) {}
FftConv2d::~FftConv2d() = default;
FftConv2d::FftConv2d(FftConv2d&&) noexcept = default;
FftConv2d& FftConv2d::operator=(FftConv2d&&) noexcept = default;

// A model of forward plus backward on one AVX2 core, fitted to 20 shapes timed on a Zen 3 against
// oneDNN's direct convolution: kernels of 1x1 to 9x9, 1 to 128 channels, 6x6 to 28x28 pixels,
// batches of 1 to 128. It comes within about 30 % of the times measured, but takes the direct
// method for faster than it is with 1 or 3 input channels, whose dx is seldom needed.
bool FftConv2d::worth_it(const Conv2dShape& s, int pieces) {
  constexpr double kDirectRate = 60, kProductRate = 75;  // floating point operations per ns
  constexpr double kTransform = 2, kCall = 500;          // ns per number, ns per matrix product
  constexpr double kMargin = 1.25;
  const Grid grid = find_grid(s);
  if (!grid.columns || !grid.rows) return false;
  const double n = s.batch, k = s.out_channels, c = s.in_channels, size = grid.size();
  const double taps = 1.0 * s.out_height() * s.out_width() * s.kernel_height * s.kernel_width;
  const double direct = 6 * n * k * c * taps / kDirectRate;
  const double products = 6 * n * k * c * 1.5 * size / kProductRate + 4.5 * size * kCall;
  const double transforms = 2 * size * (n * k + n * c + k * c / pieces) * kTransform;
  return kMargin * (products + transforms) < direct;
}

std::size_t FftConv2d::bytes() const {
  return plan_->bytes();
}

void FftConv2d::forward(const float* x, const float* bias, float* y) {
  plan_->forward(x, bias, y);
}

void FftConv2d::backward(const float* dy, float* dx, float* dbias) {
  plan_->backward(dy, dx, dbias);
}

}  // namespace easgd::kernels
