#include "kernels/complex_product.h"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <random>
#include <vector>

#include "base/view.h"
#include "kernels/tiles.h"

namespace easgd::kernels {
namespace {

/// Numbers in a matrix whose rows are further apart than they are long. What lies between them is
/// NaN, of another kind in each part.
class Numbers {
 public:
  Numbers(int rows, int columns, int gap, bool has_im, std::mt19937& engine)
      : parts_{Floats(std::size_t(rows * (columns + gap)), gap_of(0)),
               Floats(std::size_t(rows * (columns + gap)), gap_of(1))},
        matrix_{parts_[0].data(), has_im ? parts_[1].data() : nullptr, rows, columns,
                columns + gap} {
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int i = 0; i < rows * columns; ++i) {
      const std::ptrdiff_t at = i / columns * matrix_.stride + i % columns;
      matrix_.re[at] = uniform(engine);
      if (has_im) matrix_.im[at] = uniform(engine);
    }
  }
  Numbers(const Numbers&) = delete;

  const ComplexMatrix& matrix() const { return matrix_; }
  std::complex<double> at(int row, int column) const {
    const std::ptrdiff_t i = row * matrix_.stride + column;
    return {matrix_.re[i], matrix_.im ? matrix_.im[i] : 0.0f};
  }
  bool keeps_its_gaps() const {
    for (std::uint32_t part = 0; part < 2; ++part) {
      for (std::size_t i = 0; i < parts_[part].size(); ++i) {
        const bool is_gap = std::ptrdiff_t(i) % matrix_.stride >= matrix_.columns;
        const auto bits = [](float number) { return std::bit_cast<std::uint32_t>(number); };
        if (is_gap && bits(parts_[part][i]) != bits(gap_of(part))) return false;
      }
    }
    return true;
  }

 private:
  using Floats = std::vector<float>;
  static float gap_of(std::uint32_t part) {
    return std::bit_cast<float>(std::uint32_t{0x7fc00001} + part);
  }

  std::array<Floats, 2> parts_;
  ComplexMatrix matrix_;
};

std::complex<double> number_of(const Numbers& numbers, const ComplexFactor& form, int row,
                               int column) {
  const auto number = form.transposed ? numbers.at(column, row) : numbers.at(row, column);
  return form.conjugate ? std::conj(number) : number;
}

struct Case {
  int m, depth, n;
  bool a_transposed, a_conjugate, b_transposed, has_im;
};

/// Relative norm of what a multiplier makes of random numbers less what the definition says.
double error_of(const ComplexMultiplier& multiplier, const Case& c) {
  std::mt19937 engine(unsigned(c.m + c.depth + c.n));
  const Numbers a(c.a_transposed ? c.depth : c.m, c.a_transposed ? c.m : c.depth, 3, c.has_im,
                  engine);
  const Numbers b(c.b_transposed ? c.n : c.depth, c.b_transposed ? c.depth : c.n, 5, c.has_im,
                  engine);
  const Numbers out(c.m, c.n, 1, c.has_im, engine);
  const std::array next = {ComplexMatrix{}, a.matrix(), ComplexMatrix{}, b.matrix()};
  const ComplexProduct product = {
      .a = {.matrix = a.matrix(), .transposed = c.a_transposed, .conjugate = c.a_conjugate},
      .b = {.matrix = b.matrix(), .transposed = c.b_transposed},
      .out = out.matrix(),
      .scale = 0.5f,
      .next = next};
  Buffer scratch = host_buffer(multiplier.scratch_size(product));
  multiplier.multiply(product, scratch.data());
  CHECK(out.keeps_its_gaps());
  double difference = 0, norm = 0;
  for (int i = 0; i < c.m; ++i) {
    for (int j = 0; j < c.n; ++j) {
      std::complex<double> sum = 0;
      for (int d = 0; d < c.depth; ++d) {
        sum += number_of(a, product.a, i, d) * number_of(b, product.b, d, j);
      }
      difference += std::norm(out.at(i, j) - 0.5 * sum);
      norm += std::norm(0.5 * sum);
    }
  }
  return std::sqrt(difference / norm);
}

/// Every form of sizes that fill registers, and that do not.
template <class Function>
void for_each_case(const Function& f) {
  constexpr std::array<std::array<int, 3>, 8> kSizes = {{{16, 16, 32},
                                                         {8, 3, 16},
                                                         {50, 20, 128},
                                                         {20, 50, 24},
                                                         {9, 17, 8},
                                                         {1, 1, 1},
                                                         {7, 33, 15},
                                                         {23, 130, 65}}};
  for (const auto& [m, depth, n] : kSizes) {
    for (int forms = 0; forms < 16; ++forms) {
      const Case c = {
          m, depth, n, bool(forms & 1), bool(forms & 2), bool(forms & 4), bool(forms & 8)};
      CAPTURE(m);
      CAPTURE(depth);
      CAPTURE(n);
      CAPTURE(forms);
      f(c);
    }
  }
}

TEST_CASE("complex products agree with the definition in every form") {
  for (const ComplexMultiplier& multiplier : complex_multipliers()) {
    CAPTURE(&multiplier - complex_multipliers().data());
    for_each_case([&](const Case& c) { CHECK(error_of(multiplier, c) < 1e-6); });
  }
}

TEST_CASE("complex products in bf16 are as far off as their factors, and no further") {
  if (!has_tiles()) {
    MESSAGE("skipped: this processor has no AMX for bf16, or the system does not lend it");
    return;
  }
  for_each_case([](const Case& c) {
    const double error = error_of(complex_multiplier(Factors::bf16), c);
    CHECK(error < 1e-2);
    CHECK(error > 1e-6);
  });
}

}  // namespace
}  // namespace easgd::kernels
