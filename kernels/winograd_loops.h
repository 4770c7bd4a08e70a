// The loops of kernels/winograd_conv2d.h, for kLanes channels side by side: whoever includes this
// says how many, has included all that is needed here, and says for which processor it compiles.
//
// Legend
//
// Of a tile of 4x4 outputs, with U for the numbers of a kernel, V and D for those of its inputs and
// of its outputs' gradient, and * for the product of like numbers, summed over channels,
//   V = B' d B        d: inputs that it sees         U = G w G'      w: 3x3 weights
//   y = A' (U * V) A                                 D = A dy A'
//   dx += B (U * D) B'                               dw = G' (D * V) G
// where ' transposes; with a stride of 2 points of D * V that share a number of U are added first.
// Each number of V, a "plane", is a product of matrices for all tiles:
//   y   L x K  =  L x C  times  C x K
//   dx  L x C  =  L x K  times  K x C
//   dw  C x K  =  C x L  times  L x K
//
// Symbols: C and K input and output channels, L tiles of a block, as many as stay in the cache.
// Tensors have their channels innermost, so no operand has to be transposed.
#include "kernels/winograd_schemes.h"

namespace easgd::kernels {
namespace {

constexpr int kRows = kLanes == 16 ? 8 : 4;  // of sums that are kept in registers; divides kLanes
constexpr int kCacheLine = 16;               // floats
/// The planes of weights are more streams of memory than a processor foresees: each access asks for
/// what comes so many floats after it.
constexpr int kNear = 8 * kCacheLine;

/// What f(0), f(1), ... give.
template <std::size_t kCount, class Function>
inline std::array<Vec, kCount> row_of(const Function& f) {
  std::array<Vec, kCount> row;
#pragma GCC unroll 9
  for (std::size_t j = 0; j < kCount; ++j) row[j] = f(j);
  return row;
}

/// Row i of numbers in planes that lie `stride` apart. What comes `ahead` of each is asked for.
template <int kCount>
inline Row<kCount> row_of_planes(const float* numbers, std::ptrdiff_t stride, std::size_t i,
                                 std::ptrdiff_t ahead = 0) {
  return row_of<kCount>([&](std::size_t j) {
    const float* number = numbers + std::ptrdiff_t(i * kCount + j) * stride;
    if (ahead != 0) __builtin_prefetch(number + ahead);
    return load(number);
  });
}

/// A two-dimensional transform: `f` of every row that load_row(i) gives, then of every column.
/// Calls store(i, j, value).
template <std::size_t kIn, std::size_t kOut, class Transform, class LoadRow, class Store>
inline void transform(const Transform& f, const LoadRow& load_row, const Store& store) {
  std::array<std::array<Vec, kIn>, kOut> columns;  // of the rows' transforms
#pragma GCC unroll 9
  for (std::size_t i = 0; i < kIn; ++i) {
    const std::array<Vec, kOut> done = f(load_row(i));
#pragma GCC unroll 9
    for (std::size_t j = 0; j < kOut; ++j) columns[j][i] = done[j];
  }
#pragma GCC unroll 9
  for (std::size_t j = 0; j < kOut; ++j) {
    const std::array<Vec, kOut> done = f(columns[j]);
#pragma GCC unroll 9
    for (std::size_t i = 0; i < kOut; ++i) store(i, j, done[i]);
  }
}

// ---- Products of matrices ----

/// A matrix in blocks of kLanes columns: [columns / kLanes][rows][kLanes].
template <class Float>
struct Matrix {
  Float* data;
  int rows, columns;
  std::ptrdiff_t block() const { return std::ptrdiff_t{1} * rows * kLanes; }
  Float* at(int row, int column) const {
    return data + column / kLanes * block() + row * kLanes + column % kLanes;
  }
};
using Operand = Matrix<const float>;
using Result = Matrix<float>;
inline Operand as_operand(const Result& matrix) {
  return {matrix.data, matrix.rows, matrix.columns};
}

enum class Of { kRows, kColumns };  // of the left operand

/// Memory that is wanted soon, asked for while something else is computed.
class Ahead {
 public:
  Ahead(const float* begin, std::ptrdiff_t floats) : next_(begin), end_(begin + floats) {}
  /// Some lines of it, into the second-level cache.
  void fetch_some() {
    constexpr int kLines = 4;
    if (next_ >= end_) return;
#pragma GCC unroll 4
    for (int i = 0; i < kLines; ++i) __builtin_prefetch(next_ + i * kCacheLine, 0, 2);
    next_ += kLines * kCacheLine;
  }

 private:
  const float *next_, *end_;
};

/// kRows rows and kVectors blocks of columns of a product: out = or += a b, of the rows of a, or of
/// its columns taken for rows.
template <Of kOf, int kRows, int kVectors, bool kAdd>
void multiply_some(const float* a, std::ptrdiff_t a_block, const float* b, std::ptrdiff_t b_block,
                   int depth, float* out, std::ptrdiff_t out_block, Ahead& ahead) {
  constexpr int kRow = kOf == Of::kRows ? kLanes : 1, kDepth = kOf == Of::kRows ? 1 : kLanes;
  const std::ptrdiff_t a_chunk = kOf == Of::kRows ? a_block : kLanes * kLanes;
  Vec sums[kRows][kVectors] = {};
  for (int begin = 0; begin < depth; begin += kLanes, a += a_chunk) {
    ahead.fetch_some();
    const int chunk = std::min(kLanes, depth - begin);
    for (int d = 0; d < chunk; ++d, b += kLanes) {
      Vec columns[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) columns[v] = load(b + v * b_block);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sums[r][v] += a[r * kRow + d * kDepth] * columns[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* to = out + r * kLanes + v * out_block;
      store(to, kAdd ? load(to) + sums[r][v] : sums[r][v]);
    }
  }
}

template <Of kOf, int kVectors, bool kAdd>
void multiply_rows(const Operand& a, const float* b, std::ptrdiff_t b_block, int depth, float* out,
                   const Result& of, Ahead& ahead) {
  const auto by = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array{&multiply_some<kOf, R + 1, kVectors, kAdd>...};
  }
  (std::make_integer_sequence<int, kRows>{});
  for (int r = 0; r < of.rows; r += kRows) {
    const int count = std::min(kRows, of.rows - r);
    by[std::size_t(count - 1)](kOf == Of::kRows ? a.at(r, 0) : a.at(0, r), a.block(), b, b_block,
                               depth, out + r * kLanes, of.block(), ahead);
  }
}

/// out = or += a b, or the same with the columns of a taken for its rows. What is of weights, b or
/// in the other case out, does not stay in the cache: `next` is that of the product that comes
/// after this one.
template <Of kOf, bool kAdd = false>
void multiply(const Operand& a, const Operand& b, const Result& out, const Operand& next) {
  const Operand weights = kOf == Of::kRows ? b : as_operand(out);
  for (int column = 0; column < out.columns; column += 2 * kLanes) {
    const bool is_last = column + 2 * kLanes >= out.columns;
    Ahead ahead(is_last ? next.data : weights.at(0, column + 2 * kLanes), 2 * weights.block());
    const bool is_single = column + kLanes == out.columns;
    (is_single ? multiply_rows<kOf, 1, kAdd>
               : multiply_rows<kOf, 2, kAdd>)(a, b.at(0, column), b.block(), b.rows,
                                              out.at(0, column), out, ahead);
  }
}

/// One line more than needed: planes a power of two apart would share one cache set.
std::ptrdiff_t padded(std::ptrdiff_t floats) {
  return floats + kCacheLine;
}

/// Floats of a plane of the weights.
std::ptrdiff_t plane_of(const Conv2dShape& s) {
  return padded(std::ptrdiff_t{1} * s.in_channels * s.out_channels);
}

/// U, of which several points may share a number.
template <class Scheme>
class Weights final : public WinogradWeights {
 public:
  static constexpr int kPlanes = Scheme::kWeights * Scheme::kWeights;

  Weights(const Conv2dShape& s, bool for_gradients)
      : WinogradWeights((for_gradients ? 2 : 1) * kPlanes * std::size_t(plane_of(s))),
        in_(s.in_channels),
        out_(s.out_channels),
        for_gradients_(for_gradients),
        plane_(plane_of(s)) {}

  std::size_t tasks() const override { return std::size_t(out_ / kLanes); }
  void transform(const float* weight, std::size_t task) override;

  /// A plane of U, C x K and K x C.
  Operand to_y(int plane) const { return {floats() + plane * plane_, in_, out_}; }
  Operand to_dx(int plane) const { return {floats() + (kPlanes + plane) * plane_, out_, in_}; }

 private:
  void transform(const float* weight, std::ptrdiff_t stride, float* to) const;

  int in_, out_;
  bool for_gradients_;
  std::ptrdiff_t plane_;  // floats between two
};

/// Kernels of kLanes pairs of channels, `stride` apart.
template <class Scheme>
void Weights<Scheme>::transform(const float* weight, std::ptrdiff_t stride, float* to) const {
  alignas(64) float lanes[kKernel * kKernel][kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < kKernel * kKernel; ++i) lanes[i][lane] = weight[lane * stride + i];
  }
  kernels::transform<kKernel, Scheme::kWeights>(
      Scheme::kernel,
      [&](std::size_t i) {
        return row_of<kKernel>([&](std::size_t j) { return load(lanes[i * kKernel + j]); });
      },
      [&](std::size_t i, std::size_t j, Vec u) {
        float* const plane = to + std::ptrdiff_t(i * Scheme::kWeights + j) * plane_;
        __builtin_prefetch(plane + kNear, 1);
        store(plane, u);
      });
}

/// Of kLanes output channels.
template <class Scheme>
void Weights<Scheme>::transform(const float* weight, std::size_t task) {
  const int first = int(task) * kLanes;
  constexpr std::ptrdiff_t kTaps = kKernel * kKernel;
  for (int c = 0; c < in_; ++c) {
    transform(weight + (first * in_ + c) * kTaps, in_ * kTaps,
              Result{floats(), in_, out_}.at(c, first));
  }
  if (!for_gradients_) return;
  for (int k = first; k < first + kLanes; ++k) {
    for (int c = 0; c < in_; c += kLanes) {
      transform(weight + (k * in_ + c) * kTaps, kTaps,
                Result{floats() + kPlanes * plane_, out_, in_}.at(k, c));
    }
  }
}

/// Where an activation lies. The pixels of a tile begin `step` rows or columns after those of the
/// one before it, the first one's `shift` outside of the image.
struct Image {
  ChannelBlocks blocks;
  int height, width, channels, step, shift;
  std::ptrdiff_t row() const { return width * blocks.pixel; }
};

enum class Use { kRead, kWrite };

/// The pixels that a tile touches, kSide x kSide of them, of which the last kStep x kStep are its
/// own; some may lie outside of the image.
template <int kSide, int kStep>
class Pixels {
 public:
  /// Of a tile, by its row and column of tiles.
  Pixels(const Image& image, int tile_row, int tile_column)
      : row_(image.row()), column_(image.blocks.pixel) {
    const int row = tile_row * kStep - image.shift, column = tile_column * kStep - image.shift;
    first_ = row * row_ + column * column_;
    for (int i = 0; i < kSide; ++i) {
      if (row + i >= 0 && row + i < image.height) rows_ |= 1u << i;
      if (column + i >= 0 && column + i < image.width) columns_ |= 1u << i;
    }
  }
  static constexpr int kCount = kSide;
  bool has_row(std::size_t i) const { return rows_ >> i & 1; }
  unsigned columns() const { return columns_; }
  /// In a block of channels.
  std::ptrdiff_t at(std::size_t i, std::size_t j) const {
    return first_ + std::ptrdiff_t(i) * row_ + std::ptrdiff_t(j) * column_;
  }
  /// Asks for what the tile `further` on has for itself, in a block of channels of its image.
  template <Use kUse>
  void ask_for(const float* block, std::ptrdiff_t further) const {
    constexpr std::size_t kFirst = kSide - kStep, kLine = kCacheLine / kLanes;
#pragma GCC unroll 8
    for (std::size_t i = kFirst; i < kSide; ++i) {
#pragma GCC unroll 8
      for (std::size_t j = kFirst; j < kSide; j += kLine) {
        const float* const pixel = block + further + at(i, j);
        kUse == Use::kWrite ? __builtin_prefetch(pixel, 1) : __builtin_prefetch(pixel, 0, 2);
      }
    }
  }

 private:
  std::ptrdiff_t row_, column_, first_ = 0;
  unsigned rows_ = 0, columns_ = 0;
};

/// Columns of a tile that are inside of the image, a bit each: those that the compiler knows, and
/// any.
template <unsigned kColumns>
struct KnownColumns {
  static constexpr bool has(std::size_t j) { return kColumns >> j & 1; }
};
struct AnyColumns {
  bool has(std::size_t j) const { return columns >> j & 1; }
  unsigned columns;
};

/// Calls f(columns) with those of the tile: all, or all but the first, the last or both, as the
/// images have them that tiles divide; or any.
template <int kSide, int kStep, class Function>
inline void with_columns(const Pixels<kSide, kStep>& pixels, const Function& f) {
  constexpr unsigned kAll = (1u << kSide) - 1;
  switch (pixels.columns()) {
    case kAll:
      return f(KnownColumns<kAll>{});
    case kAll & ~1u:
      return f(KnownColumns<(kAll & ~1u)>{});
    case kAll >> 1:
      return f(KnownColumns<(kAll >> 1)>{});
    case kAll >> 1 & ~1u:
      return f(KnownColumns<(kAll >> 1 & ~1u)>{});
    default:
      f(AnyColumns{pixels.columns()});
  }
}

/// Values as they are, by their places in a tensor.
struct Values {
  Vec operator[](std::ptrdiff_t at) const { return load(data + at); }
  template <class Pixels>
  void ask_for(const Pixels& pixels, std::ptrdiff_t further) const {
    pixels.template ask_for<Use::kRead>(data, further);
  }
  Values block(const Image& image, int sample, int b) const {
    return {data + sample * image.blocks.sample + b * image.blocks.block};
  }
  const float* data;
};

/// A gradient, with 0 where the output of a ReLU is.
struct PassedGradient {
  Vec operator[](std::ptrdiff_t at) const { return output[at] > 0 ? gradient[at] : Vec{}; }
  template <class Pixels>
  void ask_for(const Pixels& pixels, std::ptrdiff_t further) const {
    gradient.ask_for(pixels, further);
    output.ask_for(pixels, further);
  }
  PassedGradient block(const Image& image, int sample, int b) const {
    return {gradient.block(image, sample, b), output.block(image, sample, b)};
  }
  Values gradient, output;
};

/// See NormalisationBehind.
template <bool kRelu>
struct NormalisedGradient {
  NormalisedGradient(const NormalisationBehind& n, const float* dz)
      : of(n), gradient{dz}, output{n.y} {}

  Vec operator[](std::ptrdiff_t at) const {
    const Vec d = output[at] - mean, dz = gradient[at];
    const Vec passed = kRelu ? d * scale + bias > 0 ? dz : Vec{} : dz;
    return scale * passed + (slope * d + shift);
  }
  template <class Pixels>
  void ask_for(const Pixels& pixels, std::ptrdiff_t further) const {
    gradient.ask_for(pixels, further);
    output.ask_for(pixels, further);
  }
  NormalisedGradient block(const Image& image, int sample, int b) const {
    NormalisedGradient at = *this;
    at.gradient = gradient.block(image, sample, b), at.output = output.block(image, sample, b);
    const int c = b * kLanes;
    at.mean = load(of.mean + c), at.scale = load(of.scale + c), at.bias = load(of.bias + c);
    at.slope = load(of.slope + c), at.shift = load(of.shift + c);
    return at;
  }

  const NormalisationBehind& of;
  Values gradient, output;
  Vec mean{}, scale{}, bias{}, slope{}, shift{};
};

template <class Scheme>
class Convolution final : public WinogradConv2d {
 public:
  Convolution(const Conv2dShape& shape, const ChannelBlocks& x, const ChannelBlocks& y,
              const Weights<Scheme>& weights);
  void forward(const float* x, const float* bias, bool relu, float* y) const override;
  void backward(const float* x, const float* y, const float* dy, const WinogradGradients& gradients,
                const NormalisationBehind* behind) const override;

 private:
  static constexpr int kPatch = Scheme::kPatch, kPoints = Scheme::kPoints;
  static constexpr int kPlanes = kPoints * kPoints, kStep = kTile * Scheme::kStride;
  using InputPixels = Pixels<kPatch, kStep>;
  using OutputPixels = Pixels<kTile, kTile>;

  struct Block {
    int begin, count;  // tiles
  };
  /// The matrices of a block, tiles x channels.
  struct Planes {
    Result plane(int p) const { return {data + p * stride, tiles, channels}; }
    float* data;
    std::ptrdiff_t stride;
    int tiles, channels;
  };

  /// The plane of U for one of V, and for the one whose turn is next, or the first again.
  static int weight_of(int plane) {
    return Scheme::weight_of(plane / kPoints) * Scheme::kWeights +
           Scheme::weight_of(plane % kPoints);
  }
  static int weight_after(int plane) { return weight_of((plane + 1) % kPlanes); }
  std::ptrdiff_t plane(int channels) const { return padded(std::ptrdiff_t{1} * tiles_ * channels); }
  std::size_t size(int channels) const { return std::size_t(kPlanes * plane(channels)); }
  Planes planes(float* data, const Block& block, int channels) const {
    return {data, plane(channels), block.count, channels};
  }
  template <class Function>
  void for_each_block(const Function& f) const;
  template <class Function>
  void for_each_tile(const Block& block, const Function& f) const;
  /// From a tile of this row to the one below it, or to the first of its column in the next sample.
  std::ptrdiff_t to_below(const Image& image, int row) const {
    const std::ptrdiff_t tile_row = image.step * image.row();
    return row + 1 < rows_ ? tile_row : image.blocks.sample - (rows_ - 1) * tile_row;
  }

  template <class Pixels, class Transform, class Tensor>
  void take(const Transform& f, const Tensor& tensor, const Image& image, const Block& block,
            const Planes& planes) const;
  template <bool kRelu>
  void give_outputs(const Planes& m, const Block& block, const float* bias, float* y) const;
  void give_input_gradients(const Planes& v, const Block& block, bool adds, float* dx) const;
  void add_bias_gradients(const Planes& d, float* dbias) const;
  void give_weight_gradients(const float* du, float* dweight) const;

  Conv2dShape shape_;
  Image x_, y_;
  const Weights<Scheme>& weights_;
  int rows_, columns_;  // of tiles, in a sample
  int tiles_;           // of a block, at most
};

/// The second-level cache holds so many floats of a block.
constexpr std::ptrdiff_t kBlock = 3 << 16;

int tiles_of_block(const Conv2dShape& s, int planes, int all) {
  const int channels = s.in_channels + s.out_channels;
  const auto fitting = int(kBlock / (std::ptrdiff_t{planes} * channels));
  // With many channels the weights are read anew for every block: let that pay.
  const int paying = int(2.0 * s.in_channels * s.out_channels / channels);
  return std::min(all, (std::max(fitting, paying) + kRows - 1) / kRows * kRows);
}

template <class Scheme>
Convolution<Scheme>::Convolution(const Conv2dShape& s, const ChannelBlocks& x,
                                 const ChannelBlocks& y, const Weights<Scheme>& weights)
    : shape_(s),
      x_{x, s.height, s.width, s.in_channels, kStep, s.pad},
      y_{y, s.out_height(), s.out_width(), s.out_channels, kTile, 0},
      weights_(weights),
      rows_((s.out_height() + kTile - 1) / kTile),
      columns_((s.out_width() + kTile - 1) / kTile),
      tiles_(tiles_of_block(s, kPlanes, s.batch * rows_ * columns_)) {}

template <class Scheme>
template <class Function>
void Convolution<Scheme>::for_each_block(const Function& f) const {
  const int all = shape_.batch * rows_ * columns_;
  for (int begin = 0; begin < all; begin += tiles_) f(Block{begin, std::min(tiles_, all - begin)});
}

/// Calls f(number in the block, sample, tile's row, tile's column).
template <class Scheme>
template <class Function>
void Convolution<Scheme>::for_each_tile(const Block& block, const Function& f) const {
  for (int i = 0; i < block.count; ++i) {
    const int tile = block.begin + i, in_sample = tile % (rows_ * columns_);
    f(i, tile / (rows_ * columns_), in_sample / columns_, in_sample % columns_);
  }
}

/// Transforms the pixels that each tile of a block touches.
template <class Scheme>
template <class Pixels, class Transform, class Tensor>
void Convolution<Scheme>::take(const Transform& f, const Tensor& tensor, const Image& image,
                               const Block& block, const Planes& planes) const {
  constexpr std::size_t kSide = Pixels::kCount;
  for_each_tile(block, [&](int tile, int sample, int row, int column) {
    const Pixels pixels(image, row, column);
    with_columns(pixels, [&](const auto& columns) {
      for (int b = 0; b < image.channels / kLanes; ++b) {
        const Tensor from = tensor.block(image, sample, b);
        float* to = planes.plane(0).at(tile, b * kLanes);
        from.ask_for(pixels, to_below(image, row));
        transform<kSide, kPoints>(
            f,
            [&](std::size_t i) {
              if (!pixels.has_row(i)) return Row<kSide>{};
              return row_of<kSide>(
                  [&](std::size_t j) { return columns.has(j) ? from[pixels.at(i, j)] : Vec{}; });
            },
            [&](std::size_t i, std::size_t j, Vec value) {
              store(to + std::ptrdiff_t(i * kPoints + j) * planes.stride, value);
            });
      }
    });
  });
}

template <class Scheme>
template <bool kRelu>
void Convolution<Scheme>::give_outputs(const Planes& m, const Block& block, const float* bias,
                                       float* y) const {
  for_each_tile(block, [&](int tile, int sample, int row, int column) {
    const OutputPixels pixels(y_, row, column);
    with_columns(pixels, [&](const auto& columns) {
      for (int b = 0; b < y_.channels / kLanes; ++b) {
        const float* from = m.plane(0).at(tile, b * kLanes);
        float* to = y + sample * y_.blocks.sample + b * y_.blocks.block;
        const Vec added = bias ? load(bias + b * kLanes) : Vec{};
        pixels.template ask_for<Use::kWrite>(to, to_below(y_, row));
        transform<kPoints, kTile>(
            Scheme::output,
            [&](std::size_t i) { return row_of_planes<kPoints>(from, m.stride, i); },
            [&](std::size_t i, std::size_t j, Vec value) {
              if (!columns.has(j) || !pixels.has_row(i)) return;
              value += added;
              store(to + pixels.at(i, j), kRelu && value < 0 ? Vec{} : value);
            });
      }
    });
  });
}

/// Patches overlap: the first tile that touches a pixel overwrites it, unless all are to be added,
/// and those after it add to it.
template <class Scheme>
void Convolution<Scheme>::give_input_gradients(const Planes& v, const Block& block, bool adds,
                                               float* dx) const {
  constexpr std::size_t kOverlap = kPatch - kStep;
  for_each_tile(block, [&](int tile, int sample, int row, int column) {
    const InputPixels pixels(x_, row, column);
    with_columns(pixels, [&](const auto& columns) {
      for (int b = 0; b < x_.channels / kLanes; ++b) {
        const float* from = v.plane(0).at(tile, b * kLanes);
        float* to = dx + sample * x_.blocks.sample + b * x_.blocks.block;
        pixels.template ask_for<Use::kWrite>(to, to_below(x_, row));
        transform<kPoints, kPatch>(
            Scheme::input_gradient,
            [&](std::size_t i) { return row_of_planes<kPoints>(from, v.stride, i); },
            [&](std::size_t i, std::size_t j, Vec value) {
              if (!columns.has(j) || !pixels.has_row(i)) return;
              float* pixel = to + pixels.at(i, j);
              const bool has_some =
                  adds || (i < kOverlap && row > 0) || (j < kOverlap && column > 0);
              store(pixel, has_some ? load(pixel) + value : value);
            });
      }
    });
  });
}

template <class Scheme>
void Convolution<Scheme>::give_weight_gradients(const float* du, float* dweight) const {
  const Conv2dShape& s = shape_;
  const std::ptrdiff_t stride = plane_of(s);
  constexpr int kTaps = kKernel * kKernel;
  for (int k = 0; k < s.out_channels; k += kLanes) {
    for (int c = 0; c < s.in_channels; ++c) {
      const float* from = Operand{du, s.in_channels, s.out_channels}.at(c, k);
      alignas(64) float lanes[kTaps][kLanes];
      transform<Scheme::kWeights, kKernel>(
          Scheme::kernel_gradient,
          [&](std::size_t i) { return row_of_planes<Scheme::kWeights>(from, stride, i, kNear); },
          [&](std::size_t i, std::size_t j, Vec value) { store(lanes[i * kKernel + j], value); });
      for (int lane = 0; lane < kLanes; ++lane) {
        float* to = dweight + (std::ptrdiff_t{k + lane} * s.in_channels + c) * kTaps;
        for (int i = 0; i < kTaps; ++i) to[i] = lanes[i][lane];
      }
    }
  }
}

template <class Scheme>
void Convolution<Scheme>::forward(const float* x, const float* bias, bool relu, float* y) const {
  const int c = shape_.in_channels, k = shape_.out_channels;
  float* const scratch = winograd_scratch(size(c) + size(k));
  for_each_block([&](const Block& block) {
    const Planes v = planes(scratch, block, c), m = planes(scratch + size(c), block, k);
    take<InputPixels>(Scheme::input, Values{x}, x_, block, v);
    for (int p = 0; p < kPlanes; ++p) {
      multiply<Of::kRows>(as_operand(v.plane(p)), weights_.to_y(weight_of(p)), m.plane(p),
                          weights_.to_y(weight_after(p)));
    }
    relu ? give_outputs<true>(m, block, bias, y) : give_outputs<false>(m, block, bias, y);
  });
}

template <class Scheme>
void Convolution<Scheme>::backward(const float* x, const float* y, const float* dy,
                                   const WinogradGradients& to,
                                   const NormalisationBehind* behind) const {
  const int c = shape_.in_channels, k = shape_.out_channels;
  const std::ptrdiff_t du_stride = plane_of(shape_);
  constexpr int kWeightPlanes = Weights<Scheme>::kPlanes;
  float* const scratch =
      winograd_scratch(size(c) + size(k) + std::size_t(kWeightPlanes * du_stride));
  float* const du = scratch + size(c) + size(k);
  const auto du_plane = [&](int p) { return Result{du + p * du_stride, c, k}; };
  if (to.dbias) std::fill_n(to.dbias, k, 0.0f);
  for_each_block([&](const Block& block) {
    const Planes v = planes(scratch, block, c), d = planes(scratch + size(c), block, k);
    take<InputPixels>(Scheme::input, Values{x}, x_, block, v);
    const auto take_gradient = [&](const auto& of) {
      take<OutputPixels>(Scheme::output_gradient, of, y_, block, d);
    };
    if (behind) {
      behind->relu ? take_gradient(NormalisedGradient<true>(*behind, dy))
                   : take_gradient(NormalisedGradient<false>(*behind, dy));
    } else {
      y ? take_gradient(PassedGradient{{dy}, {y}}) : take_gradient(Values{dy});
    }
    if (to.dbias) add_bias_gradients(d, to.dbias);
    std::array<bool, kWeightPlanes> has_some;
    has_some.fill(block.begin > 0);
    for (int p = 0; p < kPlanes; ++p) {
      const Operand v_of_p = as_operand(v.plane(p)), d_of_p = as_operand(d.plane(p));
      const int u = weight_of(p), next = weight_after(p);
      const auto add = std::exchange(has_some[std::size_t(u)], true)
                           ? multiply<Of::kColumns, true>
                           : multiply<Of::kColumns, false>;
      add(v_of_p, d_of_p, du_plane(u), as_operand(du_plane(next)));
      if (to.dx) {
        multiply<Of::kRows>(d_of_p, weights_.to_dx(u), v.plane(p), weights_.to_dx(next));
      }
    }
    if (to.dx) give_input_gradients(v, block, to.adds_dx, to.dx);
  });
  give_weight_gradients(du, to.dweight);
}

/// The plane of the point 1, 1 has the sums of the tiles.
template <class Scheme>
void Convolution<Scheme>::add_bias_gradients(const Planes& d, float* dbias) const {
  const Result sums = d.plane(kPoints + 1);
  for (int k = 0; k < sums.columns; k += kLanes) {
    Vec sum = load(dbias + k);
    for (int tile = 0; tile < sums.rows; ++tile) sum += load(sums.at(tile, k));
    store(dbias + k, sum);
  }
}

template <class Scheme>
std::unique_ptr<WinogradConv2d> make(const Conv2dShape& shape, const ChannelBlocks& x,
                                     const ChannelBlocks& y, const WinogradWeights& weights) {
  return std::make_unique<Convolution<Scheme>>(shape, x, y,
                                               dynamic_cast<const Weights<Scheme>&>(weights));
}

constexpr WinogradKernels kKernels = {
    kLanes,
    [](const Conv2dShape& shape, bool for_gradients) -> std::unique_ptr<WinogradWeights> {
      if (shape.stride == 2) return std::make_unique<Weights<Stride2>>(shape, for_gradients);
      return std::make_unique<Weights<Stride1>>(shape, for_gradients);
    },
    [](const Conv2dShape& shape, const ChannelBlocks& x, const ChannelBlocks& y,
       const WinogradWeights& weights) -> std::unique_ptr<WinogradConv2d> {
      return (shape.stride == 2 ? make<Stride2> : make<Stride1>)(shape, x, y, weights);
    }};

}  // namespace
}  // namespace easgd::kernels
