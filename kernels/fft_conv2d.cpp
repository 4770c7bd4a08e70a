// Legend
//
// A convolution becomes a product of spectra on a grid of P x Q points, just wide enough that
// circular wrap-around meets only zeros. With ^ for the 2-D transform and f for one frequency:
//   y^[f]  = conj(w^[f]) x^[f]              K x N  =  K x C  times  C x N
//   dx^[f] = transpose(w^[f]) dy^[f]        C x N  =  C x K  times  K x N
//   dw^[f] = conj(dy^[f]) transpose(x^[f])  K x C  =  K x N  times  N x C
// so every frequency is one complex matrix product: kernels/complex_product.h.
//
// Symbols: N batch, C and K input and output channels, F = P * Q.
// The spectrum of P x Q reals is F reals, one "plane" each, packed as in kernels/dft.h. Rows are
// transformed first, then columns: columns 0 and 1 of the packed rows are real and pack the same
// way, columns 2j and 2j + 1 are the real and the imaginary part of a complex one.
// The images (for weights: the kernels of (k, c) pairs) of a chunk are transformed side by side.
// Spectra are stored [plane][channel][lane], so that a plane is an operand of a matrix product.
// Inverse transforms are not normalised; the products carry their factor 1 / F.
#include "kernels/fft_conv2d.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "base/view.h"
#include "kernels/dft.h"

namespace easgd::kernels {
namespace {

constexpr int kCacheLine = 16;  // floats in a cache line, and at most in a SIMD register
constexpr int kChunk = 128;     // lanes transformed together, long enough to read memory in runs

// ---- Transforms of tensors ----

constexpr int round_up(int value, int unit) {
  return (value + unit - 1) / unit * unit;
}

/// Where the images of a tensor lie: pixel p of image `lane` of a channel is at
/// channel * channel_stride + p * pixel_stride + lane * lane_stride.
/// Pixel row i stands in row (i - shift) mod P of the grid, columns alike. Their spectra have
/// `spectrum_lanes`: those beyond the images are of zeros.
struct Layout {
  int channels, height, width, lanes, spectrum_lanes;
  std::ptrdiff_t channel_stride, pixel_stride, lane_stride;
  int shift;
};

/// The planes of a frequency; im is -1 where the spectrum is real.
struct Frequency {
  int re, im;
};

/// F planes of [channels][stride].
struct Spectra {
  Spectra(int planes, int channels, int lanes_stride)
      : stride(lanes_stride),
        // One line more than needed: planes a power of two apart would share one cache set.
        plane_stride(round_up(channels * stride, kCacheLine) + kCacheLine),
        buffer(host_buffer(std::size_t(planes * plane_stride))) {}
  float* plane(int p) const { return buffer.data() + p * plane_stride; }
  /// Of a frequency.
  ComplexMatrix matrix(Frequency f, int rows, int columns, std::ptrdiff_t row_stride) const {
    return {plane(f.re), f.im < 0 ? nullptr : plane(f.im), rows, columns, row_stride};
  }

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

/// Transforms one tensor, kChunk lanes of a channel at a time, in scratch memory. Its spectra begin
/// at lane `first` of the given ones.
class Transform {
 public:
  Transform(const Grid& grid, const Layout& layout, const Spectra& spectra, int first,
            float* scratch)
      : grid_(grid),
        layout_(layout),
        spectra_(spectra),
        first_(first),
        cells_(scratch),
        stage_(cells_ + grid.size() * kChunk),
        zeros_(stage_ + layout.height * layout.width * kChunk),
        sink_(zeros_ + kChunk) {
    std::fill_n(zeros_, kChunk, 0.0f);
    const auto find = [&layout](int(&pixels)[kMaxDftLength], int length) {
      for (int i = 0; i < length; ++i) pixels[i] = (i + layout.shift) % length;
    };
    find(pixel_rows_, grid.height());
    find(pixel_columns_, grid.width());
  }

  static std::size_t scratch_size(const Grid& grid, const Layout& layout) {
    return (grid.size() + layout.height * layout.width + 2) * std::size_t{kChunk};
  }

  /// Fills the spectra of a channel's lanes [lane, lane + kChunk) from `tensor`.
  void forward(const float* tensor, int channel, int lane) const {
    const float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    if (is_dense(lane)) {
      forward_rows(pixels, layout_.pixel_stride, whole(lane));
    } else {
      gather(pixels, lane);
      forward_rows(stage_, kChunk, whole(lane));
    }
    forward_columns(spectrum(channel, lane), whole(lane));
  }

  /// The reverse, times F.
  void inverse(float* tensor, int channel, int lane) const {
    float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    inverse_columns(spectrum(channel, lane), whole(lane));
    if (is_dense(lane)) {
      inverse_rows(pixels, layout_.pixel_stride, whole(lane));
    } else {
      inverse_rows(stage_, kChunk, whole(lane));
      scatter(pixels, lane);
    }
  }

 private:
  /// Of a chunk: lanes of its spectra, and images.
  int whole(int lane) const { return std::min(kChunk, layout_.spectrum_lanes - lane); }
  int images(int lane) const { return std::clamp(layout_.lanes - lane, 0, kChunk); }
  /// Whether the codelets can work on the tensor itself.
  bool is_dense(int lane) const { return layout_.lane_stride == 1 && images(lane) == whole(lane); }

  void gather(const float* pixels, int lane) const {
    for (int p = 0; p < layout_.height * layout_.width; ++p) {
      float* stage = stage_ + p * kChunk;
      const float* pixel = pixels + p * layout_.pixel_stride;
      for (int i = 0; i < images(lane); ++i) stage[i] = pixel[i * layout_.lane_stride];
      std::fill(stage + images(lane), stage + whole(lane), 0.0f);
    }
  }

  void scatter(float* pixels, int lane) const {
    for (int p = 0; p < layout_.height * layout_.width; ++p) {
      const float* stage = stage_ + p * kChunk;
      float* pixel = pixels + p * layout_.pixel_stride;
      for (int i = 0; i < images(lane); ++i) pixel[i * layout_.lane_stride] = stage[i];
    }
  }

  float* spectrum(int channel, int lane) const {
    return spectra_.plane(0) + channel * spectra_.stride + first_ + lane;
  }

  bool is_empty(int row) const { return pixel_rows_[row] >= layout_.height; }

  float* cell(int row, int column) const {
    return cells_ + (row * grid_.width() + column) * kChunk;
  }

  /// The address of the pixel in a point of the grid, or `none`.
  template <class Float>
  Float* pixel(Float* pixels, std::ptrdiff_t stride, int row, int column, Float* none) const {
    const int x = pixel_columns_[column];
    return x < layout_.width ? pixels + (pixel_rows_[row] * layout_.width + x) * stride : none;
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
      grid_.rows->real_forward(in, out, {lanes, layout_.width * stride, 0});
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
      grid_.rows->real_inverse(in, out, {lanes, 0, layout_.width * stride});
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
      (parts == 1 ? grid_.columns->real_forward : grid_.columns->complex_forward)(
          in, out, {lanes, 0, spectra_.stride});
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
      (parts == 1 ? grid_.columns->real_inverse : grid_.columns->complex_forward)(
          in, out, {lanes, spectra_.stride, 0});
    }
  }

  const Grid& grid_;
  const Layout& layout_;
  const Spectra& spectra_;
  const int first_;
  // In a row and in a column of the grid; the image's height, its width or more if there is none.
  int pixel_rows_[kMaxDftLength], pixel_columns_[kMaxDftLength];
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

/// The smallest grid for a shape; a member is null if no transform is long enough.
Grid find_grid(const Conv2dShape& s, const Dfts& dfts = all_dfts()[0]) {
  return {dfts.find(std::max({s.height + s.pad, s.out_height(), s.kernel_height})),
          dfts.find(std::max({s.width + s.pad, s.out_width(), s.kernel_width})), dfts.lanes};
}

Grid checked_grid(const Conv2dShape& s, const Dfts& dfts) {
  if (std::min({s.batch, s.in_channels, s.out_channels, s.out_height(), s.out_width()}) < 1) {
    throw std::invalid_argument("FftConv2d: nothing to compute");
  }
  if (s.stride != 1) throw std::invalid_argument("FftConv2d: has a stride");
  const Grid grid = find_grid(s, dfts);
  if (!grid.columns || !grid.rows) throw std::invalid_argument("FftConv2d: input too large");
  return grid;
}

/// The kernels of all pairs of channels side by side.
Layout weight_layout(const Conv2dShape& s) {
  const int kernels = s.out_channels * s.in_channels;
  return {1,
          s.kernel_height,
          s.kernel_width,
          kernels,
          round_up(kernels, kCacheLine),
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

class FftConv2d::Plan {
 public:
  Plan(const Conv2dShape& shape, int pieces, const ComplexMultiplier& multiplier, const Dfts& dfts);
  std::size_t bytes() const;

  std::size_t weight_tasks() const {
    return std::size_t(round_up(weight_layout_.lanes, kChunk) / kChunk);
  }
  void transform_weights(const float* weight, std::size_t task) const {
    transform(weight_layout_, weight_, 0).forward(weight, 0, int(task) * kChunk);
  }
  void weight_gradient(float* dweight, std::size_t task) const {
    transform(weight_layout_, dweight_, 0).inverse(dweight, 0, int(task) * kChunk);
  }

  std::size_t products() const { return frequencies_.size(); }
  void multiply_forward(int pieces, std::size_t product, std::size_t next) const;
  void multiply_backward(bool dx_wanted, std::size_t product, std::size_t next) const;

  void take_x(Piece piece, const float* x) const { forward(x_layout(piece), x_, piece, x); }
  void give_y(Piece piece, const float* bias, float* y) const;
  void take_dy(Piece piece, const float* dy, float* dbias) const;
  void give_dx(Piece piece, float* dx) const { inverse(x_layout(piece), x_, piece, dx); }

 private:
  Layout x_layout(Piece piece) const {
    return batch_layout(piece, shape_.in_channels, shape_.height, shape_.width, 0);
  }
  Layout y_layout(Piece piece) const {
    return batch_layout(piece, shape_.out_channels, shape_.out_height(), shape_.out_width(),
                        shape_.pad);
  }
  Layout batch_layout(Piece piece, int channels, int height, int width, int shift) const;
  Transform transform(const Layout& layout, const Spectra& spectra, int first) const {
    return {grid_, layout, spectra, first,
            scratch_of_thread(Transform::scratch_size(grid_, layout))};
  }
  void forward(const Layout& layout, const Spectra& spectra, Piece piece, const float* from) const;
  void inverse(const Layout& layout, const Spectra& spectra, Piece piece, float* to) const;
  /// Those of a channel of a piece's outputs, of all points of its grids.
  float* sums(Piece piece, int channel) const {
    return y_.plane(0) + channel * stride_ + piece.number * lanes_;
  }
  /// Of a frequency: K x C, C x N and K x N.
  struct Matrices {
    ComplexMatrix w{}, dw{}, x{}, y{};
  };
  Matrices matrices(std::size_t product, int pieces) const;
  void multiply(const ComplexProduct& product) const {
    multiplier_.multiply(product, scratch_of_thread(multiplier_.scratch_size(product)));
  }

  Conv2dShape shape_;
  const ComplexMultiplier multiplier_;
  Grid grid_;
  Layout weight_layout_;
  std::vector<Frequency> frequencies_;
  float scale_;  // 1 / F
  int pieces_;
  int lanes_;                 // of a piece in the spectra of x and y
  int stride_;                // of a channel there
  Spectra weight_, dweight_;  // [F][K * C]
  Spectra x_;                 // [F][C][stride_], after multiply_backward() of dx
  Spectra y_;                 // [F][K][stride_], after take_dy() of dy
};

FftConv2d::Plan::Plan(const Conv2dShape& s, int pieces, const ComplexMultiplier& multiplier,
                      const Dfts& dfts)
    : shape_(s),
      multiplier_(multiplier),
      grid_(checked_grid(s, dfts)),
      weight_layout_(weight_layout(s)),
      frequencies_(list_frequencies(grid_)),
      scale_(1.0f / static_cast<float>(grid_.size())),
      pieces_(pieces),
      lanes_(round_up(s.batch, kCacheLine)),
      // An odd number of lines, for the sake of the cache sets.
      stride_((round_up(pieces * lanes_, kCacheLine) / kCacheLine | 1) * kCacheLine),
      weight_(grid_.size(), 1, weight_layout_.spectrum_lanes),
      dweight_(grid_.size(), 1, weight_.stride),
      x_(grid_.size(), s.in_channels, stride_),
      y_(grid_.size(), s.out_channels, stride_) {}

std::size_t FftConv2d::Plan::bytes() const {
  std::size_t floats = 0;
  for (const Spectra* spectra : {&weight_, &dweight_, &x_, &y_}) floats += spectra->buffer.size();
  return floats * sizeof(float);
}

Layout FftConv2d::Plan::batch_layout(Piece piece, int channels, int height, int width,
                                     int shift) const {
  const std::ptrdiff_t samples = piece.samples;
  return {channels, height, width, piece.samples, lanes_, height * width * samples,
          samples,  1,      shift};
}

void FftConv2d::Plan::forward(const Layout& layout, const Spectra& spectra, Piece piece,
                              const float* from) const {
  const Transform of_piece = transform(layout, spectra, piece.number * lanes_);
  for (int channel = 0; channel < layout.channels; ++channel) {
    for (int lane = 0; lane < lanes_; lane += kChunk) of_piece.forward(from, channel, lane);
  }
}

void FftConv2d::Plan::inverse(const Layout& layout, const Spectra& spectra, Piece piece,
                              float* to) const {
  const Transform of_piece = transform(layout, spectra, piece.number * lanes_);
  for (int channel = 0; channel < layout.channels; ++channel) {
    for (int lane = 0; lane < lanes_; lane += kChunk) of_piece.inverse(to, channel, lane);
  }
}

void FftConv2d::Plan::give_y(Piece piece, const float* bias, float* y) const {
  for (int k = 0; bias && k < shape_.out_channels; ++k) {
    float* const of_channel = sums(piece, k);
    for (int n = 0; n < piece.samples; ++n) of_channel[n] += bias[k];
  }
  inverse(y_layout(piece), y_, piece, y);
}

void FftConv2d::Plan::take_dy(Piece piece, const float* dy, float* dbias) const {
  forward(y_layout(piece), y_, piece, dy);
  for (int k = 0; dbias && k < shape_.out_channels; ++k) {
    const float* const of_channel = sums(piece, k);
    dbias[k] = std::accumulate(of_channel, of_channel + piece.samples, 0.0f);
  }
}

FftConv2d::Plan::Matrices FftConv2d::Plan::matrices(std::size_t product, int pieces) const {
  const Frequency f = frequencies_[product];
  const int k = shape_.out_channels, c = shape_.in_channels, n = pieces * lanes_;
  return {weight_.matrix(f, k, c, c), dweight_.matrix(f, k, c, c), x_.matrix(f, c, n, stride_),
          y_.matrix(f, k, n, stride_)};
}

void FftConv2d::Plan::multiply_forward(int pieces, std::size_t number, std::size_t next) const {
  const Matrices now = matrices(number, pieces);
  const Matrices then = next < products() ? matrices(next, pieces) : Matrices{};
  const std::array wanted = {then.w, then.x, then.y};
  multiply({{.matrix = now.w, .conjugate = true}, {now.x}, now.y, scale_, wanted});
}

void FftConv2d::Plan::multiply_backward(bool dx_wanted, std::size_t number,
                                        std::size_t next) const {
  const Matrices now = matrices(number, pieces_);
  const Matrices then = next < products() ? matrices(next, pieces_) : Matrices{};
  const ComplexMatrix dy = now.y, dx = now.x;
  const ComplexFactor conj_dy = {.matrix = dy, .conjugate = true};
  const ComplexFactor turned_x = {.matrix = now.x, .transposed = true};
  const std::array wanted = {then.x, then.y, then.dw};
  multiply({conj_dy, turned_x, now.dw, scale_, wanted});
  if (dx_wanted) multiply({{.matrix = now.w, .transposed = true}, {dy}, dx, scale_, {&then.w, 1}});
}

FftConv2d::FftConv2d(const Conv2dShape& shape, int pieces, const ComplexMultiplier& multiplier,
                     const Dfts& dfts)
    : plan_(std::make_unique<Plan>(shape, pieces, multiplier, dfts)) {}
FftConv2d::~FftConv2d() = default;

// A model of forward plus backward on one AVX2 core, fitted to 20 shapes timed on a Zen 3 against
// oneDNN's direct convolution, the transforms' part to 16 on a Xeon: kernels of 1x1 to 9x9, 1 to
// 256 channels, 4x4 to 28x28 pixels, batches of 1 to 128. It takes the direct method for faster
// than it is with few channels, and on AVX-512; where it says yes the transform was faster on both.
bool FftConv2d::worth_it(const Conv2dShape& s) {
  constexpr double kDirectRate = 60, kProductRate = 75;  // floating point operations per ns
  constexpr double kCall = 500;                          // ns per matrix product
  constexpr double kTransform = 0.7, kPoint = 0.0017;  // ns per number, more of it on a large grid
  constexpr double kMargin = 1.25;
  const Grid grid = find_grid(s);
  if (!grid.columns || !grid.rows) return false;
  const double n = s.batch, k = s.out_channels, c = s.in_channels, size = grid.size();
  const double taps = 1.0 * s.out_height() * s.out_width() * s.kernel_height * s.kernel_width;
  const double direct = 6 * n * k * c * taps / kDirectRate;
  const double products = 6 * n * k * c * 1.5 * size / kProductRate + 4.5 * size * kCall;
  const double transforms = 2 * size * (n * k + n * c + k * c) * (kTransform + size * kPoint);
  return kMargin * (products + transforms) < direct;
}

std::size_t FftConv2d::bytes() const {
  return plan_->bytes();
}

std::size_t FftConv2d::weight_tasks() const {
  return plan_->weight_tasks();
}
void FftConv2d::transform_weights(const float* weight, std::size_t task) {
  plan_->transform_weights(weight, task);
}
void FftConv2d::weight_gradient(float* dweight, std::size_t task) {
  plan_->weight_gradient(dweight, task);
}

std::size_t FftConv2d::products() const {
  return plan_->products();
}
void FftConv2d::multiply_forward(int pieces, std::size_t product, std::size_t next) {
  plan_->multiply_forward(pieces, product, next);
}
void FftConv2d::multiply_backward(bool dx_wanted, std::size_t product, std::size_t next) {
  plan_->multiply_backward(dx_wanted, product, next);
}

void FftConv2d::take_x(Piece piece, const float* x) {
  plan_->take_x(piece, x);
}
void FftConv2d::give_y(Piece piece, const float* bias, float* y) {
  plan_->give_y(piece, bias, y);
}
void FftConv2d::take_dy(Piece piece, const float* dy, float* dbias) {
  plan_->take_dy(piece, dy, dbias);
}
void FftConv2d::give_dx(Piece piece, float* dx) {
  plan_->give_dx(piece, dx);
}

}  // namespace easgd::kernels
