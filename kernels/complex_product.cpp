#include "kernels/complex_product.h"

#include <dnnl.h>

#include <algorithm>
#include <cassert>
#include <new>

#include "kernels/complex_multipliers.h"
#include "kernels/processor.h"

namespace easgd::kernels {
namespace {

/// c = scale * a * b, or c += it.
struct RealProduct {
  const ComplexFactor &a, &b;
  const ComplexMatrix& out;

  void assign(float scale, const float* of_a, const float* of_b, float* c) const {
    run(scale, of_a, of_b, 0, c);
  }
  void add(float scale, const float* of_a, const float* of_b, float* c) const {
    run(scale, of_a, of_b, 1, c);
  }

 private:
  static char form(const ComplexFactor& factor) { return factor.transposed ? 'T' : 'N'; }
  void run(float scale, const float* of_a, const float* of_b, float beta, float* c) const {
    const auto status =
        dnnl_sgemm(form(a), form(b), out.rows, out.columns, a.columns(), scale, of_a,
                   a.matrix.stride, of_b, b.matrix.stride, beta, c, out.stride);
    if (status != dnnl_success) throw std::bad_alloc();
  }
};

void add(const ComplexMatrix& m, float* sum) {
  for (std::size_t i = 0; i < m.size(); ++i) sum[i] = m.re[i] + m.im[i];
}
void subtract(const ComplexMatrix& m, float* difference) {
  for (std::size_t i = 0; i < m.size(); ++i) difference[i] = m.re[i] - m.im[i];
}

void multiply(const ComplexProduct& p, float* scratch) {
  const ComplexMatrix &a = p.a.matrix, &b = p.b.matrix, &out = p.out;
  const RealProduct product = {p.a, p.b, out};
  assert(!a.im == !out.im && !b.im == !out.im);
  if (!out.im) return product.assign(p.scale, a.re, b.re, out.re);

  float* const of_a = scratch;
  float* const b_sum = of_a + a.size();
  float* const b_difference = b_sum + b.size();
  (p.a.conjugate ? subtract : add)(a, of_a);
  add(b, b_sum);
  subtract(b, b_difference);
  product.assign(p.scale, of_a, b.re, out.re);
  for (std::ptrdiff_t row = 0; row < out.rows; ++row) {
    std::copy_n(out.re + row * out.stride, out.columns, out.im + row * out.stride);
  }
  product.add(p.a.conjugate ? p.scale : -p.scale, a.im, b_sum, out.re);
  product.add(-p.scale, a.re, b_difference, out.im);
}

std::size_t scratch_size(const ComplexProduct& p) {
  return p.a.matrix.size() + 2 * p.b.matrix.size();
}

}  // namespace

ComplexMultiplier complex_by_onednn() {
  return {multiply, scratch_size};
}

std::span<const ComplexMultiplier> complex_multipliers() {
  static const auto all = usable_variants(complex_of_16_lanes(), complex_by_onednn());
  return all;
}

const ComplexMultiplier& complex_multiplier(Factors factors) {
  static const ComplexMultiplier tiles = complex_of_tiles();
  return factors == Factors::bf16 ? tiles : complex_multipliers()[0];
}

}  // namespace easgd::kernels
