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
#include <cassert>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
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

/// For the calling thread, of its own, until it asks again.
float* scratch_of_thread(std::size_t floats) {
  thread_local Buffer buffer;
  if (buffer.size() < floats) buffer = host_buffer(floats);
  return buffer.data();
}

/// Transforms one tensor, kChunk lanes of a channel at a time, in scratch memory of the thread.
class Transform {
 public:
  Transform(const Grid& grid, const Layout& layout, const Spectra& spectra)
      : Transform(grid, layout, std::span(&spectra, 1)) {}
  /// Of several spectra: the inverse is that of their sum.
  Transform(const Grid& grid, const Layout& layout, std::span<const Spectra> spectra)
      : grid_(grid),
        layout_(layout),
        spectra_(spectra[0]),
        addends_(spectra.subspan(1)),
        cells_(scratch_of_thread(scratch_size(grid, layout))),
        stage_(cells_ + grid.size() * kChunk),
        sums_(stage_ + layout.height * layout.width * kChunk),
        zeros_(sums_ + 2 * grid.height() * kChunk),
        sink_(zeros_ + kChunk) {
    std::fill_n(zeros_, kChunk, 0.0f);
    for (int p = 0; p < grid.size(); ++p) cells_of_rows_[p] = cells_ + p * kChunk;
    const auto find = [&layout](int(&pixels)[kMaxDftLength], int length) {
      for (int i = 0; i < length; ++i) pixels[i] = (i + layout.shift) % length;
    };
    find(pixel_rows_, grid.height());
    find(pixel_columns_, grid.width());
  }

  /// Fills the spectra from `tensor`.
  void forward(const float* tensor) {
    list_columns(/*swapped=*/false, zeros_);
    for_each_chunk([&](int channel, int lane) { forward(tensor, channel, lane); });
  }
  /// Of one channel: its lanes [lane, lane + kChunk).
  void forward(const float* tensor, int lane) {
    list_columns(/*swapped=*/false, zeros_);
    forward(tensor, 0, lane);
  }

  /// The reverse, times F.
  void inverse(float* tensor) {
    list_columns(/*swapped=*/true, sink_);
    for_each_chunk([&](int channel, int lane) { inverse(tensor, channel, lane); });
  }
  void inverse(float* tensor, int lane) {
    list_columns(/*swapped=*/true, sink_);
    inverse(tensor, 0, lane);
  }

 private:
  template <class Function>
  void for_each_chunk(const Function& f) const {
    for (int channel = 0; channel < layout_.channels; ++channel) {
      for (int lane = 0; lane < layout_.spectrum_lanes; lane += kChunk) f(channel, lane);
    }
  }
  static std::size_t scratch_size(const Grid& grid, const Layout& layout) {
    const int images = grid.size() + layout.height * layout.width;
    return (images + 2 * grid.height() + 2) * std::size_t{kChunk};
  }

  void forward(const float* tensor, int channel, int lane) const {
    const float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    if (is_dense(lane)) {
      forward_rows(pixels, layout_.pixel_stride, whole(lane));
    } else {
      gather(pixels, lane);
      forward_rows(stage_, kChunk, whole(lane));
    }
    forward_columns(channel, lane);
  }

  void inverse(float* tensor, int channel, int lane) const {
    float* pixels = tensor + channel * layout_.channel_stride + lane * layout_.lane_stride;
    inverse_columns(channel, lane);
    if (is_dense(lane)) {
      inverse_rows(pixels, layout_.pixel_stride, whole(lane));
    } else {
      inverse_rows(stage_, kChunk, whole(lane));
      scatter(pixels, lane);
    }
  }

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

  /// Where a chunk begins in a plane.
  std::ptrdiff_t offset(int channel, int lane) const {
    return std::ptrdiff_t{1} * channel * spectra_.stride + lane;
  }

  /// The sum of the numbers of a plane from an offset on, where there are several spectra.
  void add_planes(std::ptrdiff_t plane, std::ptrdiff_t offset, int lanes, float* sum) const {
    const auto of = [&](const Spectra& spectra) {
      const float* const numbers = spectra.plane(0) + plane + offset;
      for (int i = 0; i < lanes; i += kCacheLine) __builtin_prefetch(numbers + ahead() + i, 0, 2);
      return numbers;
    };
    const float *first = of(spectra_), *second = of(addends_[0]);
    for (int i = 0; i < lanes; ++i) sum[i] = first[i] + second[i];
    for (const Spectra& each : addends_.subspan(1)) {
      const float* const addend = of(each);
      for (int i = 0; i < lanes; ++i) sum[i] += addend[i];
    }
  }

  /// From a number in spectra to what a thread of two will want in its place next: in the channel
  /// after this one, or, of weights, in the task after the next.
  std::ptrdiff_t ahead() const { return layout_.channels > 1 ? spectra_.stride : 2 * kChunk; }
  bool is_empty(int row) const { return pixel_rows_[row] >= layout_.height; }

  /// The pixels in a row of the grid, and `none` where there is none.
  template <class Float>
  void list_pixels(Float* pixels, std::ptrdiff_t stride, int row, Float* none, Float** to) const {
    Float* const of_row = pixels + pixel_rows_[row] * layout_.width * stride;
    for (int column = 0; column < grid_.width(); ++column) {
      const int x = pixel_columns_[column];
      to[column] = x < layout_.width ? of_row + x * stride : none;
    }
  }

  /// Real columns and complex ones, in the order in which for_each_column() hands them out.
  /// `swapped`: the imaginary part of each number before the real one.
  void list_columns(bool swapped, float* none) {
    std::size_t i = 0;
    for (int column = 0, parts = 1; column < grid_.width(); column += parts) {
      parts = column < 2 ? 1 : 2;
      for (int row = 0; row < grid_.height(); ++row) {
        for (int part = 0; part < parts; ++part, ++i) {
          const int c = column + (swapped ? parts - 1 - part : part);
          const int point = row * grid_.width() + c;
          cells_of_columns_[i] = is_empty(row) ? none : cells_of_rows_[point];
          planes_[i] = point * spectra_.plane_stride;
        }
      }
    }
  }

  /// Calls f(first, count, is_real) of the lists.
  template <class Function>
  void for_each_column(const Function& f) const {
    const int height = grid_.height();
    for (int first = 0, count = height; first < grid_.size(); first += count) {
      const bool is_real = first < 2 * height;
      count = is_real ? height : 2 * height;
      f(first, count, is_real);
    }
  }

  void forward_rows(const float* pixels, std::ptrdiff_t stride, int lanes) const {
    const float* in[kMaxDftLength];
    for (int row = 0; row < grid_.height(); ++row) {
      if (is_empty(row)) continue;
      list_pixels<const float>(pixels, stride, row, zeros_, in);
      grid_.rows->real_forward(in, cells_of_rows_ + row * grid_.width(),
                               {lanes, layout_.width * stride, 0});
    }
  }

  void inverse_rows(float* pixels, std::ptrdiff_t stride, int lanes) const {
    float* out[kMaxDftLength];
    for (int row = 0; row < grid_.height(); ++row) {
      if (is_empty(row)) continue;
      list_pixels(pixels, stride, row, sink_, out);
      grid_.rows->real_inverse(cells_of_rows_ + row * grid_.width(), out,
                               {lanes, 0, layout_.width * stride});
    }
  }

  void forward_columns(int channel, int lane) const {
    float* const spectrum = spectra_.plane(0) + offset(channel, lane);
    float* out[kMaxPoints];
    for (int i = 0; i < grid_.size(); ++i) out[i] = spectrum + planes_[i];
    for_each_column([&](int first, int, bool is_real) {
      (is_real ? grid_.columns->real_forward : grid_.columns->complex_forward)(
          cells_of_columns_ + first, out + first, {whole(lane), 0, ahead()});
    });
  }

  void inverse_columns(int channel, int lane) const {
    const std::ptrdiff_t at = offset(channel, lane);
    const float* const spectrum = spectra_.plane(0) + at;
    const float* in[kMaxPoints];
    for (int i = 0; i < grid_.size(); ++i) in[i] = spectrum + planes_[i];
    const bool adds = !addends_.empty();
    for_each_column([&](int first, int count, bool is_real) {
      for (int i = 0; adds && i < count; ++i) {
        float* const sum = sums_ + i * kChunk;
        add_planes(planes_[first + i], at, whole(lane), sum);
        in[first + i] = sum;
      }
      (is_real ? grid_.columns->real_inverse : grid_.columns->complex_forward)(
          in + first, cells_of_columns_ + first, {whole(lane), adds ? 0 : ahead(), 0});
    });
  }

  const Grid& grid_;
  const Layout& layout_;
  const Spectra& spectra_;
  const std::span<const Spectra> addends_;
  // In a row and in a column of the grid; the image's height, its width or more if there is none.
  int pixel_rows_[kMaxDftLength], pixel_columns_[kMaxDftLength];
  static constexpr int kMaxPoints = kMaxDftLength * kMaxDftLength;
  float *cells_of_rows_[kMaxPoints], *cells_of_columns_[kMaxPoints];
  std::ptrdiff_t planes_[kMaxPoints];  // as cells_of_columns_: where their planes begin
  float* cells_;                       // [P][Q][kChunk], rows transformed
  float* stage_;                       // [height][width][kChunk], the pixels if they are not dense
  float* sums_;                        // [2 P][kChunk], a column of spectra that are added
  float* zeros_;                       // [kChunk], read in place of pixels that do not exist
  float* sink_;                        // [kChunk], written in place of pixels that do not exist
};

// ---- Frequencies, grids and layouts ----

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
  if (std::min({s.in_channels, s.out_channels, s.out_height(), s.out_width()}) < 1) {
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

}  // namespace

class FftWeights::Plan {
 public:
  Plan(const Conv2dShape& s, const ComplexMultiplier& multiplier, const Dfts& dfts)
      : in_(s.in_channels),
        out_(s.out_channels),
        multiplier_(multiplier),
        grid_(checked_grid(s, dfts)),
        layout_(weight_layout(s)),
        frequencies_(list_frequencies(grid_)),
        spectra_(make_spectra()) {}

  bool is_of(const Conv2dShape& s) const {
    return s.in_channels == in_ && s.out_channels == out_ && s.kernel_height == layout_.height &&
           s.kernel_width == layout_.width;
  }
  const Grid& grid() const { return grid_; }
  std::size_t frequencies() const { return frequencies_.size(); }
  Frequency frequency(std::size_t i) const { return frequencies_[i]; }
  /// Of a frequency, K x C.
  ComplexMatrix weights(std::size_t i) const { return matrix(spectra_, i); }
  ComplexMatrix gradient(std::size_t piece, std::size_t i) const {
    return matrix(gradients_[piece], i);
  }
  /// Spectra for a piece's part of the gradient. Returns their number.
  std::size_t add_gradient() {
    gradients_.push_back(make_spectra());
    return gradients_.size() - 1;
  }
  /// out = a b, divided by F.
  void multiply(const ComplexFactor& a, const ComplexFactor& b, const ComplexMatrix& out,
                std::span<const ComplexMatrix> next) const {
    const ComplexProduct product = {a, b, out, 1.0f / static_cast<float>(grid_.size()), next};
    multiplier_.multiply(product, scratch_of_thread(multiplier_.scratch_size(product)));
  }

  std::size_t tasks() const { return std::size_t(round_up(layout_.lanes, kChunk) / kChunk); }
  void transform(const float* weight, std::size_t task) const {
    Transform(grid_, layout_, spectra_).forward(weight, int(task) * kChunk);
  }
  void gradient(float* dweight, std::size_t task) const {
    assert(!gradients_.empty());
    Transform(grid_, layout_, gradients_).inverse(dweight, int(task) * kChunk);
  }
  /// Of the weights, or of a gradient.
  std::size_t bytes() const { return spectra_.buffer.size() * sizeof(float); }

 private:
  ComplexMatrix matrix(const Spectra& spectra, std::size_t i) const {
    return spectra.matrix(frequencies_[i], out_, in_, in_);
  }
  Spectra make_spectra() const { return {grid_.size(), 1, layout_.spectrum_lanes}; }

  int in_, out_;
  const ComplexMultiplier multiplier_;
  Grid grid_;
  Layout layout_;
  std::vector<Frequency> frequencies_;
  Spectra spectra_;                 // [F][K * C]
  std::vector<Spectra> gradients_;  // of the pieces, likewise
};

FftWeights::FftWeights(const Conv2dShape& shape, const ComplexMultiplier& multiplier,
                       const Dfts& dfts)
    : plan_(std::make_unique<Plan>(shape, multiplier, dfts)) {}
FftWeights::~FftWeights() = default;

std::size_t FftWeights::tasks() const {
  return plan_->tasks();
}
void FftWeights::transform(const float* weight, std::size_t task) {
  plan_->transform(weight, task);
}
void FftWeights::gradient(float* dweight, std::size_t task) {
  plan_->gradient(dweight, task);
}
std::size_t FftWeights::bytes() const {
  return plan_->bytes();
}

class FftConv2d::Plan {
 public:
  Plan(const Conv2dShape& shape, FftWeights::Plan& weights, bool for_gradients);
  void forward(const float* x, const float* bias, float* y) const;
  void backward(const float* dy, float* dx, float* dbias) const;
  std::size_t bytes() const {
    const std::size_t activations = (x_.buffer.size() + y_.buffer.size()) * sizeof(float);
    return activations + (gradient_ ? weights_.bytes() : 0);
  }

 private:
  Layout layout(int channels, int height, int width, int shift) const {
    const std::ptrdiff_t samples = shape_.batch;
    return {channels, height, width, shape_.batch, lanes_, height * width * samples,
            samples,  1,      shift};
  }
  /// Those of a channel of outputs, of all points of their grids.
  float* sums(int channel) const { return y_.plane(0) + channel * lanes_; }
  /// Of a frequency: C x N and K x N.
  ComplexMatrix x_of(std::size_t i) const {
    return x_.matrix(weights_.frequency(i), shape_.in_channels, lanes_, lanes_);
  }
  ComplexMatrix y_of(std::size_t i) const {
    return y_.matrix(weights_.frequency(i), shape_.out_channels, lanes_, lanes_);
  }

  Conv2dShape shape_;
  const FftWeights::Plan& weights_;
  int lanes_;  // of the spectra: samples, and zeros up to a whole line
  Layout x_layout_, y_layout_;
  Spectra x_;  // [F][C][lanes_], in a backward pass then of dx
  Spectra y_;  // [F][K][lanes_], in a backward pass of dy
  /// By its number in the weights, if there are backward passes.
  std::optional<std::size_t> gradient_;
};

FftConv2d::Plan::Plan(const Conv2dShape& s, FftWeights::Plan& weights, bool for_gradients)
    : shape_(s),
      weights_(weights),
      lanes_(round_up(s.batch, kCacheLine)),
      x_layout_(layout(s.in_channels, s.height, s.width, 0)),
      y_layout_(layout(s.out_channels, s.out_height(), s.out_width(), s.pad)),
      x_(weights.grid().size(), s.in_channels, lanes_),
      y_(weights.grid().size(), s.out_channels, lanes_),
      gradient_(for_gradients ? std::optional(weights.add_gradient()) : std::nullopt) {
  assert(s.batch > 0 && weights.is_of(s));
}

void FftConv2d::Plan::forward(const float* x, const float* bias, float* y) const {
  Transform(weights_.grid(), x_layout_, x_).forward(x);
  for (std::size_t i = 0; i < weights_.frequencies(); ++i) {
    std::array<ComplexMatrix, 3> next{};
    if (i + 1 < weights_.frequencies()) next = {weights_.weights(i + 1), x_of(i + 1), y_of(i + 1)};
    weights_.multiply({.matrix = weights_.weights(i), .conjugate = true}, {x_of(i)}, y_of(i), next);
  }
  for (int k = 0; bias && k < shape_.out_channels; ++k) {
    float* const of_channel = sums(k);
    for (int n = 0; n < shape_.batch; ++n) of_channel[n] += bias[k];
  }
  Transform(weights_.grid(), y_layout_, y_).inverse(y);
}

void FftConv2d::Plan::backward(const float* dy, float* dx, float* dbias) const {
  assert(gradient_);
  Transform(weights_.grid(), y_layout_, y_).forward(dy);
  for (int k = 0; dbias && k < shape_.out_channels; ++k) {
    const float* const of_channel = sums(k);
    dbias[k] = std::accumulate(of_channel, of_channel + shape_.batch, 0.0f);
  }
  for (std::size_t i = 0; i < weights_.frequencies(); ++i) {
    const auto dw_of = [&](std::size_t j) { return weights_.gradient(*gradient_, j); };
    std::array<ComplexMatrix, 3> next{};
    ComplexMatrix next_weights{};
    if (i + 1 < weights_.frequencies()) {
      next = {x_of(i + 1), y_of(i + 1), dw_of(i + 1)};
      next_weights = weights_.weights(i + 1);
    }
    const ComplexMatrix dy_of_i = y_of(i), dx_of_i = x_of(i);
    weights_.multiply({.matrix = dy_of_i, .conjugate = true},
                      {.matrix = x_of(i), .transposed = true}, dw_of(i), next);
    if (!dx) continue;
    weights_.multiply({.matrix = weights_.weights(i), .transposed = true}, {dy_of_i}, dx_of_i,
                      {&next_weights, 1});
  }
  if (dx) Transform(weights_.grid(), x_layout_, x_).inverse(dx);
}

FftConv2d::FftConv2d(const Conv2dShape& shape, FftWeights& weights, bool for_gradients)
    : plan_(std::make_unique<Plan>(shape, *weights.plan_, for_gradients)) {}
FftConv2d::~FftConv2d() = default;

void FftConv2d::forward(const float* x, const float* bias, float* y) {
  plan_->forward(x, bias, y);
}
void FftConv2d::backward(const float* dy, float* dx, float* dbias) {
  plan_->backward(dy, dx, dbias);
}
std::size_t FftConv2d::bytes() const {
  return plan_->bytes();
}

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

}  // namespace easgd::kernels
