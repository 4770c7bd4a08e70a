// Complex products with AVX-512. Gauss's three (3M) are summed side by side in registers, of kRows
// rows and a vector of columns, so that no sum is ever read again: multiply_rows() is the
// micro-kernel.
//
// What the three want of b is copied first, for a vector of columns, a packed panel: [depth][three
// vectors], which stay in the first-level cache up to a depth of 170 if that has 32 KiB. What they
// want of a is read where it lies, number by number.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/complex_multipliers.h"

#include "kernels/lanes_16.h"

#include "kernels/square.h"

namespace easgd::kernels {
namespace {

constexpr int kRows = 8;

/// A vector, or half of one where no more columns are left: some processors do that in half the
/// time.
using Whole = float __attribute__((vector_size(4 * kLanes)));
using Half = float __attribute__((vector_size(2 * kLanes)));
template <class Vector>
using Unaligned __attribute__((aligned(4))) = Vector;
template <class Vector>
constexpr int kWidth = sizeof(Vector) / sizeof(float);

template <class Vector>
inline Vector load(const float* p) {
  return *reinterpret_cast<const Unaligned<Vector>*>(p);
}
template <class Vector>
inline void store(float* p, Vector v) {
  *reinterpret_cast<Unaligned<Vector>*>(p) = v;
}

/// The first of sixteen numbers, and 0 for the others.
inline Whole load_some(const float* p, int count) {
  if (count >= kLanes) return load<Whole>(p);
  alignas(64) float some[kLanes] = {};
  std::copy_n(p, count, some);
  return load<Whole>(some);
}
template <class Vector>
inline void store_some(float* p, Vector v, int count) {
  if (count >= kWidth<Vector>) return store(p, v);
  alignas(64) float some[kWidth<Vector>];
  store(some, v);
  std::copy_n(some, count, p);
}

/// Asks for matrices, some lines at a time, into the second-level cache.
class Ahead {
 public:
  /// All, in so many times.
  Ahead(std::span<const ComplexMatrix> matrices, std::size_t times) : matrices_(matrices) {
    std::size_t floats = 0;
    for (const ComplexMatrix& m : matrices) {
      if (m.re) floats += m.size();
      if (m.im) floats += m.size();
    }
    at_once_ = (floats / kCacheLine + times - 1) / times;
  }
  void fetch_some() {
    for (std::size_t i = 0; i < at_once_; ++i, next_ += kCacheLine) {
      while (next_ >= end_) {
        if (part_ == 2 * matrices_.size()) return;
        const ComplexMatrix& m = matrices_[part_ / 2];
        next_ = part_++ % 2 == 0 ? m.re : m.im;
        end_ = next_ ? next_ + m.size() : nullptr;
      }
      __builtin_prefetch(next_, 0, 2);
    }
  }

 private:
  static constexpr std::size_t kCacheLine = 16;  // floats

  std::span<const ComplexMatrix> matrices_;
  std::size_t at_once_;   // lines
  std::size_t part_ = 0;  // of those that are left, the first
  const float *next_ = nullptr, *end_ = nullptr;
};

/// Gauss's three products, or the one of reals.
constexpr int kThree = 3, kOne = 1;

/// Columns of a product, a vector of them at most.
struct Columns {
  std::array<const float*, kThree> a;  ///< what each wants of it
  std::ptrdiff_t row, step;            ///< from a number of a to that below, and to the next
  const float* b;                      ///< [depth][]
  int depth, count;
  float scale;
  ComplexMatrix out;
};

/// Of some rows, from the given one on.
template <int kForms, class Vector, int kSome>
void multiply_rows(const Columns& c, int first, Ahead& ahead) {
  Vector sums[kForms][kSome] = {};
  std::array<const float*, kForms> a;
  for (std::size_t f = 0; f < kForms; ++f) a[f] = c.a[f] + first * c.row;
  const float* b = c.b;
  for (int begin = 0; begin < c.depth; begin += kLanes) {
    ahead.fetch_some();
    const int end = std::min(c.depth, begin + kLanes);
    for (int d = begin; d < end; ++d, b += kForms * kLanes) {
      Vector of_b[kForms];
#pragma GCC unroll 3
      for (int f = 0; f < kForms; ++f) of_b[f] = load<Vector>(b + f * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kSome; ++r) {
#pragma GCC unroll 3
        for (std::size_t f = 0; f < kForms; ++f) sums[f][r] += a[f][r * c.row] * of_b[f];
      }
#pragma GCC unroll 3
      for (std::size_t f = 0; f < kForms; ++f) a[f] += c.step;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kSome; ++r) {
    const std::ptrdiff_t to = (first + r) * c.out.stride;
    if constexpr (kForms == kOne) {
      store_some(c.out.re + to, c.scale * sums[0][r], c.count);
    } else {
      store_some(c.out.re + to, c.scale * (sums[0][r] + sums[1][r]), c.count);
      store_some(c.out.im + to, c.scale * (sums[0][r] - sums[2][r]), c.count);
    }
  }
}

template <int kForms, class Vector>
void multiply_columns(const Columns& c, Ahead& ahead) {
  constexpr auto kBy = []<int... r>(std::integer_sequence<int, r...>) {
    return std::array{&multiply_rows<kForms, Vector, r + 1>...};
  }
  (std::make_integer_sequence<int, kRows>{});
  for (int first = 0; first < c.out.rows; first += kRows) {
    kBy[std::size_t(std::min(kRows, c.out.rows - first) - 1)](c, first, ahead);
  }
}

/// What a product wants of b, for a vector of its columns, packed.
template <int kForms>
class PanelOfB {
 public:
  /// `negate`: the sum of both parts.
  PanelOfB(float* data, bool negate) : data_(data), negate_(negate) {}
  static std::size_t size(int depth) { return std::size_t(depth * kForms * kLanes); }

  /// Of the columns [first, first + count).
  void take(const ComplexFactor& b, int first, int count) const {
    const ComplexMatrix& m = b.matrix;
    if (!b.transposed) {
      for (int d = 0; d < m.rows; ++d) {
        const auto row = [&](const float* part) {
          return load_some(part + d * m.stride + first, count);
        };
        put(d, row(m.re), kForms == kThree ? row(m.im) : Whole{});
      }
      return;
    }
    for (int begin = 0; begin < m.columns; begin += kLanes) {
      const int some = std::min(kLanes, m.columns - begin);
      const auto square = [&](const float* part) {
        Square<Whole> rows{};
        for (int i = 0; i < count; ++i) {
          rows[std::size_t(i)] = load_some(part + (first + i) * m.stride + begin, some);
        }
        transpose(rows);
        return rows;
      };
      const Square<Whole> re = square(m.re), im = kForms == kThree ? square(m.im) : re;
      for (int d = 0; d < some; ++d) put(begin + d, re[std::size_t(d)], im[std::size_t(d)]);
    }
  }

 private:
  void put(int d, Whole u, Whole v) const {
    float* const at = data_ + size(d);
    store(at, u);
    if (kForms == kOne) return;
    store(at + kLanes, negate_ ? -(u + v) : u + v);
    store(at + 2 * kLanes, u - v);
  }

  float* data_;
  bool negate_;
};

template <int kForms>
void multiply_all(const ComplexProduct& p, float* scratch) {
  const ComplexMatrix& a = p.a.matrix;
  float* const of_b = scratch;  // at the start of a line, as scratch is
  float* const of_a = of_b + PanelOfB<kForms>::size(p.a.columns());
  for (std::size_t i = 0; kForms == kThree && i < a.size(); ++i) {
    of_a[i] = p.a.conjugate ? a.re[i] - a.im[i] : a.re[i] + a.im[i];
  }
  Columns c = {.a = {kForms == kThree ? of_a : a.re, a.im, a.re},
               .row = p.a.transposed ? 1 : a.stride,
               .step = p.a.transposed ? a.stride : 1,
               .b = of_b,
               .depth = p.a.columns(),
               .count = 0,
               .scale = p.scale,
               .out = p.out};
  const PanelOfB<kForms> panel(of_b, !p.a.conjugate);
  const auto blocks = [](int count, int size) { return std::size_t((count + size - 1) / size); };
  Ahead ahead(p.next, blocks(p.out.rows, kRows) * blocks(p.out.columns, kLanes) *
                          blocks(p.a.columns(), kLanes));
  for (int first = 0; first < p.out.columns; first += kLanes) {
    c.count = std::min(kLanes, p.out.columns - first);
    panel.take(p.b, first, c.count);
    const bool is_half = c.count <= kWidth<Half>;
    (is_half ? multiply_columns<kForms, Half> : multiply_columns<kForms, Whole>)(c, ahead);
    c.out.re += kLanes;
    if (kForms == kThree) c.out.im += kLanes;
  }
}

void multiply(const ComplexProduct& p, float* scratch) {
  (p.out.im ? multiply_all<kThree> : multiply_all<kOne>)(p, scratch);
}

std::size_t scratch_size(const ComplexProduct& p) {
  return PanelOfB<kThree>::size(p.a.columns()) + p.a.matrix.size();
}

}  // namespace

ComplexMultiplier complex_of_16_lanes() {
  return {multiply, scratch_size};
}

}  // namespace easgd::kernels
