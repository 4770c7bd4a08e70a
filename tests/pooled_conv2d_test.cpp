// The network's first convolution with its pooling, as each processor computes it.
#include "backend/cpu/pooled_conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/bf16.h"

namespace easgd::cpu {
namespace {

using Floats = std::vector<float>;

struct Problem {
  explicit Problem(const PooledConv2dShape& s)
      : shape(s),
        images(random(s.batch * s.in_channels * s.height * s.width)),
        weight(random(s.out_channels * s.in_channels * s.kernel * s.kernel)),
        bias(random(s.out_channels)),
        dy(random(s.out_channels * s.rows() * s.columns() * s.batch)) {}

  Floats random(std::size_t count) {
    Floats values(count);
    std::normal_distribution<float> normal;
    std::ranges::generate(values, [&] { return normal(engine); });
    return values;
  }

  PooledConv2dShape shape;
  std::mt19937 engine{5};
  Floats images, weight, bias, dy;
};

struct Results {
  Floats y, dweight, dbias;
};

Results run(const Problem& p, const PooledWindows& variant,
            kernels::Factors factors = kernels::Factors::f32) {
  PooledConv2d convolution(p.shape, factors, variant);
  Results r{Floats(p.dy.size(), NAN), Floats(p.weight.size(), NAN), Floats(p.bias.size(), NAN)};
  // Nothing is left of the pass before.
  const Floats other_bias(p.bias.size(), 0.5f), other_dy(p.dy.size(), 1.0f);
  convolution.forward(p.images, p.weight, other_bias, r.y.data());
  convolution.backward(other_dy.data(), r.dweight, r.dbias);
  convolution.forward(p.images, p.weight, p.bias, r.y.data());
  convolution.backward(p.dy.data(), r.dweight, r.dbias);
  return r;
}

/// The definition, in double.
Results reference(const Problem& p) {
  const PooledConv2dShape& s = p.shape;
  std::vector<double> dweight(p.weight.size()), dbias(p.bias.size());
  Results r{Floats(p.dy.size()), {}, {}};
  const auto pixel = [&](std::size_t n, std::size_t c, std::size_t y, std::size_t x) {
    const bool inside = y >= s.pad && y < s.height + s.pad && x >= s.pad && x < s.width + s.pad;
    return inside ? double(p.images[((n * s.in_channels + c) * s.height + y - s.pad) * s.width + x -
                                    s.pad])
                  : 0;
  };
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t row = 0; row < s.rows(); ++row)
      for (std::size_t column = 0; column < s.columns(); ++column)
        for (std::size_t n = 0; n < s.batch; ++n) {
          const auto for_taps = [&](std::size_t output, const auto& f) {
            const std::size_t y = 2 * row + output / 2, x = 2 * column + output % 2;
            std::size_t tap = o * s.in_channels * s.kernel * s.kernel;
            for (std::size_t c = 0; c < s.in_channels; ++c)
              for (std::size_t i = 0; i < s.kernel; ++i)
                for (std::size_t k = 0; k < s.kernel; ++k) f(tap++, pixel(n, c, y + i, x + k));
          };
          double best = -INFINITY;
          std::size_t where = 0;
          for (std::size_t output = 0; output < 4; ++output) {
            double sum = p.bias[o];
            for_taps(output, [&](std::size_t tap, double value) { sum += p.weight[tap] * value; });
            if (sum > best) best = sum, where = output;
          }
          const std::size_t at = ((o * s.rows() + row) * s.columns() + column) * s.batch + n;
          r.y[at] = float(s.relu ? std::max(best, 0.0) : best);
          if (s.relu && best <= 0) continue;
          dbias[o] += p.dy[at];
          for_taps(where, [&](std::size_t tap, double value) { dweight[tap] += p.dy[at] * value; });
        }
  r.dweight.assign(dweight.begin(), dweight.end());
  r.dbias.assign(dbias.begin(), dbias.end());
  return r;
}

double difference(const Floats& found, const Floats& expected) {
  double most = 0, largest = 1e-9;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!std::isfinite(found[i])) return INFINITY;
    most = std::max(most, double(std::abs(found[i] - expected[i])));
    largest = std::max(largest, double(std::abs(expected[i])));
  }
  return most / largest;
}

}  // namespace

TEST_CASE("pooled convolution: what the definition says, the same bits on every processor") {
  // batch, in_channels, height, width, out_channels, kernel, pad, relu
  const PooledConv2dShape shapes[] = {
      {128, 3, 12, 12, 7, 5, 0, true},
      {1, 1, 6, 6, 1, 3, 1, false},
      {15, 2, 9, 7, 4, 5, 2, true},
      {16, 3, 8, 10, 13, 4, 0, false},
      {17, 1, 11, 8, 6, 8, 0, true},
      {24, 2, 7, 7, 10, 1, 0, true},
      {41, 3, 10, 9, 5, 2, 1, false},
      {8, 4, 8, 8, 11, 7, 3, true},
      // Windows in an odd row and column are computed twice; one row alone is not filtered.
      {33, 3, 10, 14, 5, 5, 0, false},
      {16, 1, 8, 9, 3, 5, 0, true},
      {7, 3, 6, 12, 2, 5, 0, true},
  };
  for (const PooledConv2dShape& shape : shapes) {
    CAPTURE(shape.batch);
    const Problem problem(shape);
    const bool filters = shape.kernel == 5 && shape.rows() > 1 && shape.columns() > 1;
    const Results expected = reference(problem), first = run(problem, pooled_windows()[0]);
    for (const PooledWindows& variant : pooled_windows()) {
      CAPTURE(variant.lanes);
      const Results found = run(problem, variant);
      CHECK(difference(found.y, expected.y) < (filters ? 1e-5 : 1e-6));
      CHECK(difference(found.dweight, expected.dweight) < 1e-5);
      CHECK(difference(found.dbias, expected.dbias) < 1e-5);
      CHECK(found.y == first.y);
      CHECK(found.dweight == first.dweight);
      CHECK(found.dbias == first.dbias);
    }
  }
}

TEST_CASE("pooled convolution: in bf16 what the definition says of numbers that are in bf16") {
  if (!PooledConv2d::can_narrow({})) {
    MESSAGE("skipped: this processor has no AMX for bf16, or the system does not lend it");
    return;
  }
  const PooledConv2dShape shapes[] = {
      {32, 3, 12, 12, 19, 5, 0, true}, {1, 1, 6, 6, 1, 3, 1, false},
      {15, 2, 9, 7, 4, 5, 2, true},    {17, 1, 11, 8, 6, 8, 0, true},
      {24, 2, 7, 7, 33, 1, 0, true},   {41, 3, 10, 9, 16, 2, 1, false},
      {8, 4, 8, 8, 11, 8, 3, true},
  };
  for (const PooledConv2dShape& shape : shapes) {
    CAPTURE(shape.batch);
    REQUIRE(PooledConv2d::can_narrow(shape));
    Problem problem(shape);
    for (Floats* values : {&problem.images, &problem.weight}) {
      for (float& value : *values) value = kernels::Bf16(value);
    }
    const Results expected = reference(problem);
    const Results found = run(problem, pooled_windows()[0], kernels::Factors::bf16);
    CHECK(difference(found.y, expected.y) < 1e-6);
    CHECK(difference(found.dweight, expected.dweight) < 1e-5);
    CHECK(difference(found.dbias, expected.dbias) < 1e-5);
  }
  CHECK_FALSE(PooledConv2d::can_narrow({1, 5, 8, 8, 1, 7, 0, true}));
  Problem rounded({16, 3, 8, 8, 16, 5, 0, true});
  CHECK(difference(run(rounded, pooled_windows()[0], kernels::Factors::bf16).y,
                   reference(rounded).y) > 1e-5);
}

}  // namespace easgd::cpu
