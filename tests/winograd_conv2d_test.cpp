#include "kernels/winograd_conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <vector>

namespace easgd::kernels {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

template <class Values>
struct Results {
  Values y, dx, dweight, dbias;
};

/// Activations are [N][H][W][C].
struct Problem {
  explicit Problem(const Conv2dShape& s)
      : shape(s),
        x(random(s.batch * s.height * s.width * s.in_channels)),
        weight(random(s.out_channels * s.in_channels * 9)),
        bias(random(s.out_channels)),
        dy(random(s.batch * s.out_height() * s.out_width() * s.out_channels)) {}

  Floats random(int count) {
    Floats values((std::size_t(count)));
    std::normal_distribution<float> normal;
    std::ranges::generate(values, [&] { return normal(engine); });
    return values;
  }
  template <class Values>
  Results<Values> zeros() const {
    return {Values(dy.size()), Values(x.size()), Values(weight.size()), Values(bias.size())};
  }

  Conv2dShape shape;
  std::mt19937 engine{7};
  Floats x, weight, bias, dy;
};

/// The definition, in double precision.
Results<Doubles> reference(const Problem& p) {
  const Conv2dShape& s = p.shape;
  auto r = p.zeros<Doubles>();
  const auto tap = [&](int x, int y, int i, int j) {
    for (int k = 0; k < s.out_channels; ++k) {
      for (int c = 0; c < s.in_channels; ++c) {
        const int w = ((k * s.in_channels + c) * 3 + i) * 3 + j;
        r.y[y + k] += double(p.weight[w]) * p.x[x + c];
        r.dx[x + c] += double(p.weight[w]) * p.dy[y + k];
        r.dweight[w] += double(p.dy[y + k]) * p.x[x + c];
      }
    }
  };
  for (int n = 0; n < s.batch; ++n) {
    for (int row = 0; row < s.out_height(); ++row) {
      for (int column = 0; column < s.out_width(); ++column) {
        const int y = ((n * s.out_height() + row) * s.out_width() + column) * s.out_channels;
        for (int k = 0; k < s.out_channels; ++k) {
          r.y[y + k] += p.bias[k];
          r.dbias[k] += p.dy[y + k];
        }
        for (int i = 0; i < 3; ++i) {
          for (int j = 0; j < 3; ++j) {
            const int a = s.stride * row + i - s.pad, b = s.stride * column + j - s.pad;
            if (a < 0 || a >= s.height || b < 0 || b >= s.width) continue;
            tap(((n * s.height + a) * s.width + b) * s.in_channels, y, i, j);
          }
        }
      }
    }
  }
  return r;
}

/// All channels of a pixel side by side, or `lanes` of them in planes of their own.
enum class Order { nhwc, blocked };

ChannelBlocks blocks(Order order, int lanes, int pixels, int channels) {
  if (order == Order::nhwc) return {pixels * channels, lanes, channels};
  return {pixels * channels, pixels * lanes, lanes};
}

/// Moves a tensor [N][pixels][C] into that order, or back out of it.
void reorder(const ChannelBlocks& to, int lanes, int pixels, int channels, Floats& tensor,
             bool back = false) {
  const Floats from = tensor;
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    const auto at = std::ptrdiff_t(i), channel = at % channels, pixel = at / channels % pixels;
    const std::ptrdiff_t there = at / channels / pixels * to.sample + channel / lanes * to.block +
                                 pixel * to.pixel + channel % lanes;
    tensor[back ? i : std::size_t(there)] = from[back ? std::size_t(there) : i];
  }
}

constexpr float kThere = 3;  // what gradients are added to

struct Asked {
  bool all = true;  ///< bias, dx and dbias, too
  bool relu = false, adds_dx = false;
  std::optional<NormalisationBehind> behind = {};  ///< its y is filled in
};

/// Into targets that hold other numbers before.
Results<Floats> compute(const WinogradKernels& kernels, Problem p, Order order,
                        const Asked& asked = {}) {
  const Conv2dShape& s = p.shape;
  const int in = s.height * s.width, out = s.out_height() * s.out_width();
  const ChannelBlocks x = blocks(order, kernels.lanes, in, s.in_channels);
  const ChannelBlocks y = blocks(order, kernels.lanes, out, s.out_channels);
  reorder(x, kernels.lanes, in, s.in_channels, p.x);
  reorder(y, kernels.lanes, out, s.out_channels, p.dy);
  auto r = p.zeros<Floats>();
  for (Floats* target : {&r.y, &r.dx, &r.dweight, &r.dbias}) std::ranges::fill(*target, 1e9f);
  if (asked.adds_dx) std::ranges::fill(r.dx, kThere);
  const auto weights = kernels.make_weights(s, true);
  for (std::size_t task = weights->tasks(); task-- > 0;) weights->transform(p.weight.data(), task);
  const auto convolution = kernels.make(s, x, y, *weights);
  convolution->forward(p.x.data(), asked.all ? p.bias.data() : nullptr, asked.relu, r.y.data());
  std::optional<NormalisationBehind> behind = asked.behind;
  if (behind) behind->y = r.y.data();
  convolution->backward(p.x.data(), asked.relu ? r.y.data() : nullptr, p.dy.data(),
                        {.dx = asked.all ? r.dx.data() : nullptr,
                         .adds_dx = asked.adds_dx,
                         .dweight = r.dweight.data(),
                         .dbias = asked.all ? r.dbias.data() : nullptr},
                        behind ? &*behind : nullptr);
  reorder(x, kernels.lanes, in, s.in_channels, r.dx, true);
  reorder(y, kernels.lanes, out, s.out_channels, r.y, true);
  return r;
}

/// The norm of the difference, relative to that of what is expected.
double relative_error(const Floats& got, const Doubles& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm);
}

void check_equal(const Results<Floats>& a, const Results<Floats>& b) {
  CHECK(a.y == b.y);
  CHECK(a.dx == b.dx);
  CHECK(a.dweight == b.dweight);
  CHECK(a.dbias == b.dbias);
}

// batch, in_channels, height, width, out_channels, kernel_height, kernel_width, pad, stride
const std::vector<Conv2dShape> kShapes = {
    {2, 16, 8, 8, 16, 3, 3, 1},        {3, 32, 9, 7, 48, 3, 3, 0},
    {1, 16, 4, 4, 32, 3, 3, 2},        {5, 48, 5, 11, 16, 3, 3, 1},
    {1, 16, 3, 3, 16, 3, 3, 0},        {4, 128, 8, 8, 128, 3, 3, 1},
    {7, 256, 4, 4, 128, 3, 3, 1},      {13, 16, 32, 30, 16, 3, 3, 1},
    {2, 16, 16, 16, 32, 3, 3, 1, 2},   {3, 32, 9, 7, 48, 3, 3, 2, 2},
    {1, 16, 1, 1, 16, 3, 3, 1, 2},     {5, 48, 5, 11, 16, 3, 3, 1, 2},
    {4, 128, 16, 15, 128, 3, 3, 1, 2}, {7, 256, 8, 8, 128, 3, 3, 1, 2},
    {9, 16, 33, 34, 16, 3, 3, 1, 2}};

TEST_CASE("WinogradConv2d agrees with the definition, on every processor's lanes") {
  constexpr double kTolerance = 5e-6;  // relative norm
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(shape.height);
    CAPTURE(shape.width);
    CAPTURE(shape.in_channels);
    CAPTURE(shape.stride);
    const Problem problem(shape);
    const auto expected = reference(problem);
    for (const WinogradKernels& kernels : winograd_kernels()) {
      CAPTURE(kernels.lanes);
      const auto got = compute(kernels, problem, Order::nhwc);
      CHECK(relative_error(got.y, expected.y) < kTolerance);
      CHECK(relative_error(got.dx, expected.dx) < kTolerance);
      CHECK(relative_error(got.dweight, expected.dweight) < kTolerance);
      CHECK(relative_error(got.dbias, expected.dbias) < kTolerance);
      check_equal(compute(kernels, problem, Order::blocked), got);
    }
  }
}

TEST_CASE("WinogradConv2d leaves out what is not asked for") {
  for (const std::size_t shape : {1, 9}) {
    CAPTURE(kShapes[shape].stride);
    Problem problem(kShapes[shape]);
    const WinogradKernels& kernels = winograd_kernels()[0];
    const auto all = compute(kernels, problem, Order::nhwc);
    const auto some = compute(kernels, problem, Order::nhwc, {.all = false});
    CHECK(some.dweight == all.dweight);
    std::ranges::fill(problem.bias, 0.0f);
    CHECK(some.y == compute(kernels, problem, Order::nhwc).y);
  }
}

TEST_CASE("WinogradConv2d with a ReLU, and adding to a gradient that is there") {
  constexpr double kTolerance = 5e-6;
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(shape.height);
    CAPTURE(shape.in_channels);
    CAPTURE(shape.stride);
    const Problem problem(shape);
    for (const WinogradKernels& kernels : winograd_kernels()) {
      CAPTURE(kernels.lanes);
      const auto got = compute(kernels, problem, Order::blocked, {.relu = true, .adds_dx = true});
      Floats y = compute(kernels, problem, Order::blocked).y;
      for (float& value : y) value = std::max(value, 0.0f);
      CHECK(got.y == y);
      Problem passed = problem;
      for (std::size_t i = 0; i < y.size(); ++i) passed.dy[i] *= y[i] > 0;
      auto expected = reference(passed);
      for (double& value : expected.dx) value += kThere;
      CHECK(relative_error(got.dx, expected.dx) < kTolerance);
      CHECK(relative_error(got.dweight, expected.dweight) < kTolerance);
      CHECK(relative_error(got.dbias, expected.dbias) < kTolerance);
    }
  }
}

TEST_CASE("WinogradConv2d finishes the backward pass of a normalisation behind it") {
  constexpr double kTolerance = 5e-6;
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(shape.height);
    CAPTURE(shape.in_channels);
    Problem problem(shape);
    const auto channels = std::size_t(shape.out_channels);
    const Floats mean = problem.random(shape.out_channels),
                 scale = problem.random(shape.out_channels),
                 bias = problem.random(shape.out_channels),
                 slope = problem.random(shape.out_channels),
                 shift = problem.random(shape.out_channels);
    for (const WinogradKernels& kernels : winograd_kernels()) {
      CAPTURE(kernels.lanes);
      for (const bool relu : {false, true}) {
        const NormalisationBehind behind{.y = nullptr,
                                         .mean = mean.data(),
                                         .scale = scale.data(),
                                         .bias = bias.data(),
                                         .slope = slope.data(),
                                         .shift = shift.data(),
                                         .relu = relu};
        const auto got = compute(kernels, problem, Order::blocked, {.behind = behind});
        Problem plain = problem;
        for (std::size_t i = 0; i < got.y.size(); ++i) {
          const std::size_t k = i % channels;
          const float d = got.y[i] - mean[k];
          const bool is_blocked = relu && !(std::fma(d, scale[k], bias[k]) > 0);
          const double dz = is_blocked ? 0 : double(problem.dy[i]);
          plain.dy[i] = float(scale[k] * dz + double(slope[k]) * d + shift[k]);
        }
        const auto expected = reference(plain);
        CHECK(relative_error(got.dx, expected.dx) < kTolerance);
        CHECK(relative_error(got.dweight, expected.dweight) < kTolerance);
        CHECK(relative_error(got.dbias, expected.dbias) < kTolerance);
      }
    }
  }
}

TEST_CASE("WinogradConv2d is for kernels of 3x3 and whole blocks of channels") {
  CHECK(WinogradConv2d::fits({1, 16, 1, 1, 48, 3, 3, 1}));
  CHECK_FALSE(WinogradConv2d::fits({1, 8, 8, 8, 16, 3, 3, 1}));
  CHECK_FALSE(WinogradConv2d::fits({1, 16, 8, 8, 24, 3, 3, 1}));
  CHECK_FALSE(WinogradConv2d::fits({1, 16, 8, 8, 16, 5, 5, 1}));
  CHECK_FALSE(WinogradConv2d::fits({1, 16, 2, 2, 16, 3, 3, 0}));
  CHECK(WinogradConv2d::fits({1, 16, 2, 2, 16, 3, 3, 1, 2}));
  CHECK_FALSE(WinogradConv2d::fits({1, 16, 8, 8, 16, 3, 3, 0, 2}));
  CHECK_FALSE(WinogradConv2d::fits({1, 16, 8, 8, 16, 3, 3, 1, 3}));
  CHECK(WinogradConv2d::products({1, 16, 8, 8, 32, 3, 3, 1}) == 4 * 36 * 16 * 32);
  CHECK(WinogradConv2d::products({1, 16, 8, 16, 32, 3, 3, 1, 2}) == 2 * 81 * 16 * 32);
  CHECK(WinogradConv2d::products({1, 16, 9, 5, 16, 3, 3, 1}) == 6 * 36 * 16 * 16);
}

}  // namespace
}  // namespace easgd::kernels
