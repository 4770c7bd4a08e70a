#include "kernels/fft_conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace easgd::kernels {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

/// One input of the layer and everything computed from it, by forward(x) then backward(dy).
template <class Values>
struct Results {
  Values y, dx, dweight, dbias;
};

struct Problem {
  explicit Problem(const Conv2dShape& s) : shape(s) {
    const int inputs = s.in_channels * s.height * s.width * s.batch;
    const int outputs = s.out_channels * s.out_height() * s.out_width() * s.batch;
    const int weights = s.out_channels * s.in_channels * s.kernel_height * s.kernel_width;
    x = random(inputs), weight = random(weights);
    bias = random(s.out_channels), dy = random(outputs);
  }

  Floats random(int count) {
    Floats values(count);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::generate(values.begin(), values.end(), [&] { return uniform(engine); });
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
  const int pixels = s.out_height() * s.out_width();
  for (int k = 0; k < s.out_channels; ++k) {
    for (int i = 0; i < pixels * s.batch; ++i) {
      r.y[k * pixels * s.batch + i] = p.bias[k];
      r.dbias[k] += p.dy[k * pixels * s.batch + i];
    }
  }
  const auto tap = [&](int k, int c, int row, int column, int i, int j) {
    const int x_row = row + i - s.pad, x_column = column + j - s.pad;
    if (x_row < 0 || x_row >= s.height || x_column < 0 || x_column >= s.width) return;
    const int w = ((k * s.in_channels + c) * s.kernel_height + i) * s.kernel_width + j;
    const int x = ((c * s.height + x_row) * s.width + x_column) * s.batch;
    const int y = ((k * s.out_height() + row) * s.out_width() + column) * s.batch;
    for (int n = 0; n < s.batch; ++n) {
      r.y[y + n] += static_cast<double>(p.weight[w]) * p.x[x + n];
      r.dx[x + n] += static_cast<double>(p.weight[w]) * p.dy[y + n];
      r.dweight[w] += static_cast<double>(p.dy[y + n]) * p.x[x + n];
    }
  };
  for (int k = 0; k < s.out_channels; ++k)
    for (int c = 0; c < s.in_channels; ++c)
      for (int row = 0; row < s.out_height(); ++row)
        for (int column = 0; column < s.out_width(); ++column)
          for (int i = 0; i < s.kernel_height; ++i)
            for (int j = 0; j < s.kernel_width; ++j) tap(k, c, row, column, i, j);
  return r;
}

/// The samples [begin, begin + count) of a tensor, samples innermost.
Floats samples_of(const Floats& tensor, int batch, int begin, int count) {
  Floats part;
  for (std::size_t i = 0; i < tensor.size(); i += std::size_t(batch)) {
    const auto first = tensor.begin() + std::ptrdiff_t(i) + begin;
    part.insert(part.end(), first, first + count);
  }
  return part;
}
void put_samples(const Floats& part, int batch, int begin, int count, Floats& tensor) {
  for (std::size_t i = 0, at = 0; i < tensor.size(); i += std::size_t(batch), at += count) {
    std::copy_n(part.begin() + std::ptrdiff_t(at), count,
                tensor.begin() + std::ptrdiff_t(i) + begin);
  }
}

/// A convolution whose batch is cut into pieces of these sizes.
class Convolution {
 public:
  explicit Convolution(const Conv2dShape& shape, std::vector<int> sizes = {},
                       const Dfts& dfts = all_dfts()[0],
                       const ComplexMultiplier& multiplier = complex_multipliers()[0])
      : sizes_(sizes.empty() ? std::vector{shape.batch} : std::move(sizes)),
        weights_(shape, multiplier, dfts) {
    Conv2dShape of_piece = shape;
    for (const int size : sizes_) {
      of_piece.batch = size;
      pieces_.push_back(std::make_unique<FftConv2d>(of_piece, weights_, true));
    }
  }

  Results<Floats> run(const Problem& p, bool all = true) {
    return run(
        p, all, [](auto f) { f(); }, [] {});
  }
  /// Everything that may be done at once on threads of its own.
  Results<Floats> run_at_once(const Problem& p) {
    std::vector<std::thread> threads;
    const auto start = [&](auto f) { threads.emplace_back(f); };
    const auto join = [&] {
      for (std::thread& thread : threads) thread.join();
      threads.clear();
    };
    return run(p, true, start, join);
  }

 private:
  /// Calls start(f) for each task of a round, and end() after it.
  template <class Start, class End>
  Results<Floats> run(const Problem& p, bool all, const Start& start, const End& end) {
    auto r = p.zeros<Floats>();
    for (std::size_t task = weights_.tasks(); task-- > 0;) {
      start([&, task] { weights_.transform(p.weight.data(), task); });
    }
    end();
    std::vector<Results<Floats>> parts(pieces_.size());
    std::vector<int> begins(1, 0);
    for (const int size : sizes_) begins.push_back(begins.back() + size);
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      start([&, i] {
        const auto share = [&](const Floats& tensor) {
          return samples_of(tensor, p.shape.batch, begins[i], sizes_[i]);
        };
        auto& [y, dx, dweight, dbias] = parts[i];
        y = share(r.y), dx = share(r.dx), dbias.resize(p.bias.size());
        pieces_[i]->forward(share(p.x).data(), all ? p.bias.data() : nullptr, y.data());
        pieces_[i]->backward(share(p.dy).data(), all ? dx.data() : nullptr,
                             all ? dbias.data() : nullptr);
      });
    }
    end();
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      put_samples(parts[i].y, p.shape.batch, begins[i], sizes_[i], r.y);
      put_samples(parts[i].dx, p.shape.batch, begins[i], sizes_[i], r.dx);
      for (std::size_t k = 0; k < r.dbias.size(); ++k) r.dbias[k] += parts[i].dbias[k];
    }
    for (std::size_t task = 0; task < weights_.tasks(); ++task) {
      start([&, task] { weights_.gradient(r.dweight.data(), task); });
    }
    end();
    return r;
  }

  std::vector<int> sizes_;
  FftWeights weights_;
  std::vector<std::unique_ptr<FftConv2d>> pieces_;
};

/// Largest difference, relative to the largest expected value.
double error(const Floats& got, const Doubles& expected) {
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    difference = std::max(difference, std::abs(got[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return difference / largest;
}

void check_equal(const Results<Floats>& a, const Results<Floats>& b) {
  CHECK(a.y == b.y);
  CHECK(a.dx == b.dx);
  CHECK(a.dweight == b.dweight);
  CHECK(a.dbias == b.dbias);
}

// batch, in_channels, height, width, out_channels, kernel_height, kernel_width, pad
constexpr Conv2dShape kCifar = {128, 64, 12, 12, 128, 5, 5, 0};
constexpr Conv2dShape kOdd = {13, 3, 9, 7, 5, 5, 3, 1};
const std::vector<Conv2dShape> kShapes = {
    {128, 8, 12, 12, 12, 5, 5, 0},  // the CIFAR layer, fewer channels
    kOdd,
    {300, 2, 6, 6, 3, 3, 3, 0},  // several chunks of the batch, the last partial
    {100, 4, 8, 8, 6, 5, 5, 2},  // "same" padding
    {1, 1, 4, 4, 1, 4, 4, 0},    // a single output
    {3, 2, 3, 5, 2, 1, 1, 2},    // outputs beyond the reach of the kernel
    {2, 2, 2, 3, 2, 6, 7, 2},    // kernel larger than the input
    {9, 2, 28, 17, 3, 7, 3, 3},  // non-square
};

TEST_CASE("FftConv2d agrees with the definition") {
  constexpr double kTolerance = 2e-6;
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(shape.height);
    CAPTURE(shape.width);
    CAPTURE(shape.batch);
    const Problem problem(shape);
    const auto expected = reference(problem);
    for (const ComplexMultiplier& multiplier : complex_multipliers()) {
      CAPTURE(&multiplier - complex_multipliers().data());
      for (const Dfts& dfts : all_dfts()) {
        CAPTURE(dfts.lanes);
        const auto got = Convolution(shape, {}, dfts, multiplier).run(problem);
        CHECK(error(got.y, expected.y) < kTolerance);
        CHECK(error(got.dx, expected.dx) < kTolerance);
        CHECK(error(got.dweight, expected.dweight) < kTolerance);
        CHECK(error(got.dbias, expected.dbias) < kTolerance);
        const Dfts& fastest = all_dfts()[0];
        check_equal(got, Convolution(shape, {}, fastest, multiplier).run(problem));  // bit by bit
      }
    }
  }
}

TEST_CASE("FftConv2d agrees with the definition for every transform length") {
  for (int side = 3; side <= 32; ++side) {
    CAPTURE(side);
    const Problem problem({8, 1, side, 35 - side, 1, 3, 3, 0});
    const auto expected = reference(problem);
    for (const Dfts& dfts : all_dfts()) {
      CAPTURE(dfts.lanes);
      const auto got = Convolution(problem.shape, {}, dfts).run(problem);
      CHECK(error(got.y, expected.y) < 2e-6);
      CHECK(error(got.dx, expected.dx) < 2e-6);
      CHECK(error(got.dweight, expected.dweight) < 2e-6);
    }
  }
}

TEST_CASE("FftConv2d in pieces agrees with the definition, on any threads") {
  struct Case {
    Conv2dShape shape;
    std::vector<int> sizes;
  };
  // The last two have several tasks of weights, and several chunks of samples.
  const std::vector<Case> cases = {{kOdd, {7, 6}},
                                   {kOdd, {1, 11, 1}},
                                   {kOdd, {4, 4, 4, 1}},
                                   {{148, 1, 6, 6, 131, 3, 3, 1}, {130, 17, 1}},
                                   {{33, 12, 8, 7, 13, 3, 3, 0}, {16, 17}}};
  for (const auto& [shape, sizes] : cases) {
    CAPTURE(shape.batch);
    CAPTURE(sizes.size());
    const Problem problem(shape);
    Convolution convolution(shape, sizes);
    const auto got = convolution.run(problem);
    const auto expected = reference(problem);
    CHECK(error(got.y, expected.y) < 2e-6);
    CHECK(error(got.dx, expected.dx) < 2e-6);
    CHECK(error(got.dweight, expected.dweight) < 2e-6);
    CHECK(error(got.dbias, expected.dbias) < 2e-6);
    check_equal(convolution.run_at_once(problem), got);
  }
}

TEST_CASE("FftConv2d in bf16 comes as near as its factors") {
  if (!has_tiles()) {
    MESSAGE("skipped: this processor has no AMX for bf16, or the system does not lend it");
    return;
  }
  const auto run = [](const Problem& problem, std::vector<int> sizes) {
    return Convolution(problem.shape, std::move(sizes), all_dfts()[0],
                       complex_multiplier(Factors::bf16))
        .run(problem);
  };
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(shape.height);
    CAPTURE(shape.batch);
    const Problem problem(shape);
    const auto expected = reference(problem);
    if (expected.y.size() < 16) continue;  // it may be small beside its terms
    const auto got = run(problem, {});
    CHECK(error(got.y, expected.y) < 1e-2);
    CHECK(error(got.dx, expected.dx) < 1e-2);
    CHECK(error(got.dweight, expected.dweight) < 1e-2);
    CHECK(error(got.dbias, expected.dbias) < 2e-6);
    CHECK(error(got.y, expected.y) > 2e-6);  // nobody has computed it in float32
    check_equal(run(problem, {}), got);
  }
  const Problem problem(kOdd);
  const auto whole = run(problem, {}), pieces = run(problem, {7, 6});
  CHECK(pieces.y == whole.y);
  CHECK(error(pieces.dweight, reference(problem).dweight) < 1e-2);

  Problem lost = problem;
  lost.weight[0] = NAN;
  CHECK(std::ranges::any_of(run(lost, {}).y, [](float y) { return std::isnan(y); }));
}

TEST_CASE("FftConv2d after a network that has lost its numbers") {
  const Problem problem(kOdd);
  Convolution convolution(kOdd, {5, 5, 3});
  const auto all = convolution.run(problem);
  Problem lost = problem;
  lost.weight.assign(lost.weight.size(), NAN);
  convolution.run(lost);
  check_equal(convolution.run(problem), all);
}

TEST_CASE("FftConv2d keeps spectra of gradients for backward passes alone") {
  FftWeights weights(kOdd);
  const FftConv2d evaluates(kOdd, weights, false), trains(kOdd, weights, true);
  CHECK(trains.bytes() == evaluates.bytes() + weights.bytes());
}

TEST_CASE("FftConv2d computes the same bits again after other data") {
  const Problem problem(kOdd);
  Problem other(kOdd);
  other.x = other.random(static_cast<int>(other.x.size()));
  other.weight = other.random(static_cast<int>(other.weight.size()));
  Convolution convolution(kOdd);
  const auto first = convolution.run(problem);
  const auto between = convolution.run(other);
  CHECK(between.y != first.y);
  check_equal(convolution.run(problem), first);
}

TEST_CASE("FftConv2d leaves out what is not asked for") {
  Problem problem(kOdd);
  Convolution convolution(kOdd);
  const auto all = convolution.run(problem);
  const auto r = convolution.run(problem, false);
  CHECK(r.dweight == all.dweight);
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
  CHECK(r.y == convolution.run(problem).y);
}

TEST_CASE("FftConv2d is worth it for large kernels and many channels") {
  CHECK(FftConv2d::worth_it(kCifar));
  CHECK(FftConv2d::worth_it({128, 128, 4, 4, 64, 3, 3, 0}));
  CHECK_FALSE(FftConv2d::worth_it({128, 64, 12, 12, 128, 1, 1, 0}));
  CHECK_FALSE(FftConv2d::worth_it({128, 3, 28, 28, 64, 5, 5, 0}));
  CHECK_FALSE(FftConv2d::worth_it({128, 64, 33, 33, 128, 5, 5, 0}));
}

TEST_CASE("FftConv2d refuses shapes that it cannot transform") {
  CHECK_THROWS_AS(FftWeights({1, 1, 33, 8, 1, 3, 3, 0}), std::invalid_argument);
  CHECK_THROWS_AS(FftWeights({1, 1, 2, 8, 1, 3, 3, 0}), std::invalid_argument);
  CHECK_THROWS_AS(FftWeights({1, 1, 8, 8, 1, 3, 3, 1, 2}), std::invalid_argument);
}

}  // namespace
}  // namespace easgd::kernels
