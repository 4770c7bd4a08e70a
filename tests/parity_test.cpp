// Does a CUDA device compute what the CPU computes? The passes of kernels/ are the same source on
// both: they are run here on the host, against formulas, and on a device, where there is one,
// against the host. Layers on a device are asked by layers_test, which takes every backend there
// is.
#include <doctest/doctest.h>

#include <cmath>
#include <future>
#include <limits>
#include <numeric>
#include <optional>

#include "backend/backend_kind.h"
#include "backend/cuda/handle.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "data/loader.h"
#include "kernels/layer_passes.h"
#include "kernels/squared_distance.h"
#include "network_spec.h"
#include "nn/dropout_draws.h"
#include "random_batch.h"
#include "reference_network.h"
#include "relative.h"
#include "sum_channels.h"

namespace easgd::testing {
namespace {

constexpr std::size_t kCount = 1000;

std::vector<float> noise(std::size_t count, std::uint32_t seed) {
  const kernels::Random random{seed, kernels::Stream::synthetic_data};
  std::vector<float> values;
  for (std::uint32_t i = 0; i < count; ++i) values.push_back(2 * random.at(0, i).uniform(0) - 1);
  return values;
}

template <class Pass>
void run(const Pass& pass, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) pass(i);
}

/// Memory for the partial sums of a reduction.
class Summed {
 public:
  explicit Summed(const kernels::ReductionLayout& reduction)
      : partial_(reduction.partial_count(), {NAN, NAN}), finished_(reduction.groups) {}
  ~Summed() { CHECK(finished_ == std::vector<std::uint32_t>(finished_.size())); }

  kernels::SumsScratch scratch() const { return {partial_.data(), finished_.data()}; }

 private:
  mutable std::vector<kernels::Sums> partial_;
  mutable std::vector<std::uint32_t> finished_;
};

/// The CUDA backend, or nothing, which the test says.
std::unique_ptr<Backend> device() {
  try {
    load_cuda();
    return make_backend("cuda");
  } catch (const DeviceError& e) {
    const std::string why = e.what();
    CHECK(why.find("undefined symbol") == std::string::npos);
    MESSAGE("skipped: " << why);
    return nullptr;
  }
}

std::unique_ptr<Backend> cpu() {
  return make_backend("cpu");
}

}  // namespace

TEST_CASE(
    "parity: backward passes are the slopes of the forward ones, and add where they are told") {
  const std::vector<float> x = noise(kCount, 1), dy = noise(kCount, 2), before = noise(kCount, 3);
  constexpr float kStep = 1e-3f;
  const auto check = [&](const auto& forward, const auto& backward) {
    std::vector<float> low, high, y(kCount), up(kCount), down(kCount);
    for (const float v : x) low.push_back(v - kStep), high.push_back(v + kStep);
    forward(y.data(), x.data());
    forward(up.data(), high.data());
    forward(down.data(), low.data());
    for (const bool add : {false, true}) {
      std::vector<float> dx = before;
      backward(dx.data(), dy.data(), y.data(), add);
      for (std::size_t i = 0; i < kCount; ++i) {
        if (std::abs(x[i]) < 2 * kStep) continue;  // a kink
        const double slope = (double(up[i]) - double(down[i])) / (2 * double(kStep));
        const double wanted = (add ? double(before[i]) : 0) + double(dy[i]) * slope;
        CHECK(std::abs(double(dx[i]) - wanted) < 2e-4);
      }
    }
  };
  check(
      [](float* y, const float* v) {
        run(kernels::ReluForward<float>{y, v}, kCount);
      },
      [](float* dx, const float* d, const float* y, bool add) {
        run(kernels::ReluBackward<float>{dx, d, y, add}, kCount);
      });
  check(
      [](float* y, const float* v) {
        run(kernels::TanhForward<float>{y, v}, kCount);
      },
      [](float* dx, const float* d, const float* y, bool add) {
        run(kernels::TanhBackward<float>{dx, d, y, add}, kCount);
      });
  check(
      [](float* y, const float* v) {
        run(kernels::GeluForward<float>{y, v}, kCount);
      },
      [&](float* dx, const float* d, const float*, bool add) {
        run(kernels::GeluBackward<float>{dx, d, x.data(), add}, kCount);
      });
  check(
      [](float* y, const float* v) {
        run(kernels::SiluForward<float>{y, v}, kCount);
      },
      [&](float* dx, const float* d, const float*, bool add) {
        run(kernels::SiluBackward<float>{dx, d, x.data(), add}, kCount);
      });
  check(
      [](float* y, const float* v) {
        run(kernels::Sum<float>{y, v, v}, kCount);
      },
      [](float* dx, const float* d, const float*, bool add) {
        run(kernels::AddTo<float>{dx, d, add}, kCount);
        run(kernels::AddTo<float>{dx, d, true}, kCount);
      });
}

TEST_CASE("parity: GELU and SiLU and their slopes, far from zero too") {
  for (const float x : {-200.0f, -30.0f, -6.0f, -1.5f, -1e-3f, 0.0f, 1e-3f, 0.7f, 5.0f, 90.0f}) {
    CAPTURE(x);
    const double v = double(x), phi = std::erfc(-v / std::sqrt(2.0)) / 2;
    const double density = std::exp(-v * v / 2) / std::sqrt(2 * std::acos(-1.0));
    const double s = 1 / (1 + std::exp(-v)), near = 1e-6 * std::max(1.0, std::abs(v));
    const float one = 1;
    float y = 0, slope = 0;
    kernels::GeluForward<float>{&y, &x}(0);
    kernels::GeluBackward<float>{&slope, &one, &x, false}(0);
    CHECK(std::abs(double(y) - v * phi) < near);
    CHECK(std::abs(double(slope) - (phi + v * density)) < 1e-6);
    kernels::SiluForward<float>{&y, &x}(0);
    kernels::SiluBackward<float>{&slope, &one, &x, false}(0);
    CHECK(std::abs(double(y) - v * s) < near);
    CHECK(std::abs(double(slope) - s * (1 + v * (1 - s))) < 1e-6);
  }
}

TEST_CASE("parity: a NaN stays one") {
  const float x = NAN;
  float y = 0;
  kernels::ReluForward<float>{&y, &x}(0);
  CHECK(std::isnan(y));
  y = 0;
  kernels::GeluForward<float>{&y, &x}(0);
  CHECK(std::isnan(y));
  y = 0;
  kernels::SiluForward<float>{&y, &x}(0);
  CHECK(std::isnan(y));
  y = 0;
  const std::uint64_t step = 0;
  kernels::DropoutPass<float>{&y, &x, false, {}, &step, 1, 0, {1, 1, false}, 0.999f}(0);
  CHECK(std::isnan(y));
}

TEST_CASE("parity: dropout drops what every backend drops") {
  const Network network =
      make_network({6, 5, 5}, 4, "dropout rate=0.5; relu; dropout rate=0.3; linear outputs=4");
  const RandomBatch data(network, 3);
  const Doubles state(network.state_count());
  const auto outputs = reference_outputs(network, state, data.batch, true, 11);
  const Stage& stage = network.stages()[2];
  const DropoutDraws draws = count_draws(network, stage.layer.get());
  std::vector<float> x, y(3 * stage.input.size(), 1);
  for (const Doubles& sample : outputs[1]) x.insert(x.end(), sample.begin(), sample.end());
  const kernels::Random random{11, kernels::Stream::dropout, data.batch.worker};
  run(kernels::DropoutPass<float>{y.data(),
                                  x.data(),
                                  false,
                                  random,
                                  &data.batch.step,
                                  draws.per_sample,
                                  draws.before,
                                  {stage.input.channels, stage.input.height * stage.input.width,
                                   false},
                                  0.3f},
      y.size());
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double wanted = outputs[2][i / stage.input.size()][i % stage.input.size()];
    CHECK(std::abs(double(y[i]) - wanted) < 1e-6);
    dropped += x[i] != 0 && y[i] == 0;
  }
  CHECK(dropped > 20);
}

namespace {

constexpr int kSamples = 3, kChannels = 5, kHeight = 7, kWidth = 6;
constexpr kernels::Layout kPlain{kChannels, kHeight* kWidth, false};
constexpr kernels::Layout kLast{kChannels, kHeight* kWidth, true};
constexpr std::size_t kValues = std::size_t{kSamples} * kChannels * kHeight * kWidth;

/// The same batch, channels last.
std::vector<float> channels_last(const std::vector<float>& plain, int channels, int pixels) {
  std::vector<float> last(plain.size());
  const int samples = int(plain.size()) / (channels * pixels);
  for (int n = 0; n < samples; ++n) {
    for (int c = 0; c < channels; ++c) {
      for (int p = 0; p < pixels; ++p) {
        last[std::size_t((n * pixels + p) * channels + c)] =
            plain[std::size_t((n * channels + c) * pixels + p)];
      }
    }
  }
  return last;
}

/// Values in steps of 1/4, so that maxima are reached more than once, and sums are exact.
std::vector<float> coarse(std::size_t count, std::uint32_t seed) {
  std::vector<float> values = noise(count, seed);
  for (float& v : values) v = std::round(4 * v) / 4;
  return values;
}

}  // namespace

TEST_CASE("parity: bf16 is the nearest, the even one of two, and keeps what is no number") {
  const float above = 0x1p-7f;  // of 1
  CHECK(float(kernels::Bf16(1)) == 1);
  CHECK(float(kernels::Bf16(1 + above / 2)) == 1);
  CHECK(float(kernels::Bf16(1 + 3 * above / 2)) == 1 + 2 * above);
  CHECK(float(kernels::Bf16(1 + above * 0.51f)) == 1 + above);
  CHECK(float(kernels::Bf16(-1 - above * 0.49f)) == -1);
  CHECK(std::isnan(float(kernels::Bf16(NAN))));
  CHECK(std::isinf(float(kernels::Bf16(3.4e38f))));
  CHECK(float(kernels::Bf16(-INFINITY)) == -INFINITY);
  for (std::uint32_t bits = 0; bits < 0x7F80; ++bits) {  // every finite one
    kernels::Bf16 value;
    value.bits = std::uint16_t(bits);
    CHECK(kernels::Bf16(float(value)).bits == bits);
  }
}

TEST_CASE("parity: there and back between layouts, with more channels on the way") {
  constexpr int kPixels = kHeight * kWidth, kPadded = 8;
  const std::vector<float> plain = coarse(kValues, 1);
  std::vector<float> wide(std::size_t{kSamples} * kPixels * kPadded, 7), back(kValues, 100);
  run(kernels::ToChannelsLast<float, float>{wide.data(), plain.data(), kChannels, kPixels, kPadded,
                                            false},
      wide.size());
  const std::vector<float> last = channels_last(plain, kChannels, kPixels);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const std::size_t c = i % kPadded;
    CHECK(wide[i] == (c < kChannels ? last[i / kPadded * kChannels + c] : 0));
  }
  run(kernels::FromChannelsLast<float, float>{back.data(), wide.data(), kChannels, kPixels, kPadded,
                                              false},
      back.size());
  CHECK(back == plain);
  std::vector<kernels::Bf16> narrow(kValues);
  run(kernels::ToChannelsLast<float, kernels::Bf16>{narrow.data(), plain.data(), kChannels, kPixels,
                                                    kChannels, false},
      kValues);
  std::vector<kernels::Bf16> sum(plain.begin(), plain.end());
  run(kernels::FromChannelsLast<kernels::Bf16, kernels::Bf16>{sum.data(), narrow.data(), kChannels,
                                                              kPixels, kChannels, true},
      kValues);
  for (std::size_t i = 0; i < kValues; ++i) CHECK(float(sum[i]) == 2 * plain[i]);  // coarse: exact
}

TEST_CASE("parity: slices of a vector are packed, and come back from there") {
  // Between other parameters: 2 rows of 3 channels of 4, as bf16 and wider; 5 values as they are.
  constexpr std::size_t kRows = 2, kChannels = 3, kPixels = 4, kPadded = 8, kFirst = 7;
  constexpr std::size_t kSecond = kFirst + kRows * kChannels * kPixels + 2, kFew = 5;
  const std::vector<float> flat = coarse(40, 1);
  std::vector<kernels::Bf16> wide(kRows * kPixels * kPadded, kernels::Bf16(9));
  std::vector<float> few(kFew, 9), back(flat.size(), 100);
  const std::vector<kernels::PackedSlice> slices{
      {wide.data(), kFirst, 0, kChannels, kPixels, kPadded, true},
      {few.data(), kSecond, wide.size(), int(kFew), 1, int(kFew), false}};
  run(kernels::PackSlices{flat.data(), slices.data(), int(slices.size())}, wide.size() + kFew);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      for (std::size_t c = 0; c < kPadded; ++c) {
        CHECK(float(wide[(row * kPixels + pixel) * kPadded + c]) ==
              (c < kChannels ? flat[kFirst + (row * kChannels + c) * kPixels + pixel] : 0));
      }
    }
  }
  CHECK(std::equal(few.begin(), few.end(), flat.begin() + kSecond));
  run(kernels::UnpackSlices{back.data(), slices.data(), int(slices.size())}, wide.size() + kFew);
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const bool first = i >= kFirst && i < kFirst + kRows * kChannels * kPixels;
    const bool second = i >= kSecond && i < kSecond + kFew;
    CHECK(back[i] == (first || second ? flat[i] : 100));
  }
}

TEST_CASE("parity: pooling takes the first maximum and the mean of its window, in both layouts") {
  struct Sizes {
    Sides kernel, stride, pad;
  };
  for (const auto& [kernel, stride, pad] : {Sizes{{2, 2}, {2, 2}, {}},
                                            {{3, 3}, {2, 2}, {}},
                                            {{3, 3}, {1, 1}, {}},
                                            {{2, 2}, {3, 3}, {}},
                                            {{3, 3}, {2, 2}, {1, 1}},
                                            {{2, 3}, {1, 2}, {1, 1}},
                                            {{4, 2}, {3, 1}, {2, 0}},
                                            {{7, 6}, {7, 6}, {}}}) {
    const kernels::Windows::Side down{
        kHeight, int((kHeight + 2 * pad.height - kernel.height) / stride.height + 1),
        int(kernel.height), int(stride.height), int(pad.height)};
    const kernels::Windows::Side right{
        kWidth, int((kWidth + 2 * pad.width - kernel.width) / stride.width + 1), int(kernel.width),
        int(stride.width), int(pad.width)};
    const int rows = down.outputs, columns = right.outputs, area = int(kernel.area());
    const auto outputs = std::size_t(kSamples * kChannels * rows * columns);
    const std::vector<float> x = coarse(kValues, 1), dy = coarse(outputs, 2);
    const std::vector<float> before = coarse(kValues, 3);
    // The formulas, plane by plane.
    std::vector<double> most(outputs), mean(outputs), dmost(before.begin(), before.end()),
        dmean(before.begin(), before.end());
    for (std::size_t o = 0; o < outputs; ++o) {
      const int plane = int(o) / (rows * columns);
      const int top = int(o) / columns % rows * down.stride - down.pad;
      const int left = int(o) % columns * right.stride - right.pad;
      std::optional<std::size_t> best;
      for (int k = 0; k < area; ++k) {
        const int row = top + k / right.kernel, column = left + k % right.kernel;
        if (row < 0 || row >= kHeight || column < 0 || column >= kWidth) continue;
        const auto i = std::size_t((plane * kHeight + row) * kWidth + column);
        if (!best || x[i] > x[*best]) best = i;
        mean[o] += double(x[i]) / area;
        dmean[i] += double(dy[o]) / area;
      }
      most[o] = double(x[*best]);
      dmost[*best] += double(dy[o]);
    }
    for (const bool last : {false, true}) {
      const auto in = [&](const std::vector<float>& v, int pixels) {
        return last ? channels_last(v, kChannels, pixels) : v;
      };
      const auto near = [&](const std::vector<float>& found, const std::vector<double>& wanted,
                            int pixels) {
        const auto there = in({wanted.begin(), wanted.end()}, pixels);
        for (std::size_t i = 0; i < found.size(); ++i) {
          CHECK(std::abs(found[i] - there[i]) < 1e-6f);
        }
      };
      const kernels::Windows windows{kChannels, down, right, last};
      const std::vector<float> there = in(x, kHeight * kWidth), slope = in(dy, rows * columns);
      std::vector<float> y(outputs), dx = in(before, kHeight * kWidth), dx2 = dx;
      std::vector<std::uint16_t> chosen(outputs);
      run(kernels::MaxPoolForward<float>{y.data(), chosen.data(), there.data(), windows}, outputs);
      near(y, most, rows * columns);
      run(kernels::MaxPoolBackward<float>{dx.data(), slope.data(), chosen.data(), windows, true},
          kValues);
      near(dx, dmost, kHeight * kWidth);
      run(kernels::AveragePoolForward<float>{y.data(), there.data(), windows}, outputs);
      near(y, mean, rows * columns);
      run(kernels::AveragePoolBackward<float>{dx2.data(), slope.data(), windows, true}, kValues);
      near(dx2, dmean, kHeight * kWidth);
    }
  }
}

TEST_CASE("parity: sums of a channel do not depend on who adds up, nor on the layout") {
  constexpr int kRows = 7000;
  const std::pair<int, int> shapes[] = {{1, 35}, {3, 35}, {19, 35}, {3, 1}, {19, 1}};
  for (const auto& [channels, pixels] : shapes) {
    const auto size = std::size_t(channels), count = size * kRows;
    const std::vector<float> dy = coarse(count, 1), y = coarse(count, 2);
    std::vector<double> all(size), open(size);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t c = i / std::size_t(pixels) % size;
      all[c] += double(dy[i]);
      open[c] += y[i] > 0 ? double(dy[i]) : 0;
    }
    for (const bool last : {false, true}) {
      kernels::ReductionLayout reduction =
          kernels::ReductionLayout::of({channels, pixels, last}, kRows / pixels);
      CHECK(reduction.parts > 1);
      for (const kernels::Index parts : {reduction.parts, 1u, 11u, 1000u}) {
        CAPTURE(channels);
        CAPTURE(pixels);
        CAPTURE(last);
        CAPTURE(parts);
        reduction.parts = parts;
        for (const bool relu : {false, true}) {
          std::vector<float> slope = last ? channels_last(dy, channels, pixels) : dy;
          const std::vector<float> output = last ? channels_last(y, channels, pixels) : y;
          const Summed summed(reduction);
          std::vector<float> sums(size, -1);
          sum_channels(kernels::BiasGradient<float>{sums.data(), slope.data(),
                                                    relu ? output.data() : nullptr},
                       reduction, summed.scratch());
          for (std::size_t c = 0; c < sums.size(); ++c) {
            CHECK(double(sums[c]) == (relu ? open : all)[c]);  // coarse: exact
          }
          std::size_t wrong = 0;
          for (std::size_t i = 0; relu && i < count; ++i) {
            wrong += !(output[i] > 0) && slope[i] != 0;
          }
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("parity: sums of a channel are the same bits whichever block is the last") {
  constexpr int kPixels = 35, kSamples = 200, kChannels = 19;
  const std::vector<float> x = noise(kPixels * kSamples * kChannels, 1);
  for (const bool last : {false, true}) {
    const kernels::ReductionLayout reduction =
        kernels::ReductionLayout::of({kChannels, kPixels, last}, kSamples);
    const Summed summed(reduction);
    std::vector<float> mean(kChannels), deviation(kChannels);
    const auto moments = [&](const std::vector<kernels::Index>& blocks) {
      sum_channels(kernels::BatchMoments<float>{mean.data(), deviation.data(), nullptr, nullptr,
                                                x.data(), double(reduction.rows), 0, 0},
                   reduction, summed.scratch(), blocks);
      return std::pair(mean, deviation);
    };
    std::vector<kernels::Index> blocks(reduction.groups * reduction.parts);
    std::iota(blocks.begin(), blocks.end(), kernels::Index{0});
    const auto forward = moments(blocks);
    std::ranges::reverse(blocks);
    CHECK(moments(blocks) == forward);
  }
}

TEST_CASE("parity: moments of a batch far from zero move the running ones, or leave them alone") {
  constexpr int kPixels = 35, kSamples = 60, kChannels = 3;
  std::vector<float> x = noise(kPixels * kSamples * kChannels, 1);
  for (float& value : x) value += 100;
  const kernels::ReductionLayout reduction =
      kernels::ReductionLayout::of({kChannels, kPixels, false}, kSamples);
  const Summed summed(reduction);
  const double n = double(reduction.rows);
  CHECK(n == kPixels * kSamples);
  std::vector<float> mean(kChannels), deviation(kChannels), moved_mean(kChannels, 1),
      moved_variance(kChannels, 2);
  for (const bool moves : {false, true}) {
    sum_channels(kernels::BatchMoments<float>{mean.data(), deviation.data(),
                                              moves ? moved_mean.data() : nullptr,
                                              moved_variance.data(), x.data(), n, 0.5, 0.25f},
                 reduction, summed.scratch());
    for (std::size_t c = 0; c < kChannels; ++c) {
      const auto over_channel = [&](const auto& f) {
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (i / kPixels % kChannels == c) sum += f(double(x[i]));
        }
        return sum;
      };
      const double m = over_channel([](double v) { return v; }) / n;
      const double squares = over_channel([&](double v) { return (v - m) * (v - m); });
      CHECK(double(mean[c]) == doctest::Approx(m).epsilon(1e-7));
      CHECK(double(deviation[c]) ==
            doctest::Approx(1 / std::sqrt(squares / n + 0.5)).epsilon(1e-6));
      CHECK(double(moved_mean[c]) == doctest::Approx(moves ? 0.75 + 0.25 * m : 1).epsilon(1e-6));
      CHECK(double(moved_variance[c]) ==
            doctest::Approx(moves ? 1.5 + 0.25 * squares / (n - 1) : 2).epsilon(1e-6));
    }
  }
}

TEST_CASE("parity: running moments that are replaced keep nothing of what was there") {
  const std::vector<float> x = noise(7000, 1);
  const kernels::ReductionLayout reduction = kernels::ReductionLayout::of({1, 35, false}, 200);
  const Summed summed(reduction);
  float mean, deviation, from_zero[2] = {}, from_far[2] = {1e6f, 1e6f};
  for (float* moved : {from_zero, from_far})
    sum_channels(
        kernels::BatchMoments<float>{&mean, &deviation, moved, moved + 1, x.data(), 7000, 1e-4, 1},
        reduction, summed.scratch());
  CHECK(from_far[0] == mean);
  CHECK(from_far[0] == from_zero[0]);
  CHECK(from_far[1] == from_zero[1]);
}

TEST_CASE("parity: a constant channel has no variance, and NaN none that is a number") {
  std::vector<float> x(7000, 0.1f), mean(1), deviation(1);
  const kernels::ReductionLayout reduction = kernels::ReductionLayout::of({1, 35, false}, 200);
  const Summed summed(reduction);
  const kernels::BatchMoments<float> moments{
      mean.data(), deviation.data(), nullptr, nullptr, x.data(), 7000, 1e-4, 0};
  sum_channels(moments, reduction, summed.scratch());
  CHECK(double(deviation[0]) == doctest::Approx(100).epsilon(1e-6));
  x[6999] = NAN;
  sum_channels(moments, reduction, summed.scratch());
  CHECK(std::isnan(mean[0]));
  CHECK(std::isnan(deviation[0]));
}

TEST_CASE("parity: the moments of one value are its own, and its variance is 0") {
  const std::vector<float> x{3, -5};  // of two channels
  std::vector<float> mean(2), deviation(2), moved_mean(2, 1), moved_variance(2, 2);
  const kernels::ReductionLayout reduction = kernels::ReductionLayout::of({2, 1, false}, 1);
  const Summed summed(reduction);
  sum_channels(kernels::BatchMoments<float>{mean.data(), deviation.data(), moved_mean.data(),
                                            moved_variance.data(), x.data(), 1, 0.25, 0.5},
               reduction, summed.scratch());
  CHECK(mean == x);
  CHECK(deviation == std::vector<float>(2, 2));
  CHECK(moved_mean == std::vector<float>{2, -2});
  CHECK(moved_variance == std::vector<float>(2, 1));
}

TEST_CASE("parity: the loss, its ranks and its gradient, labels smoothed or not") {
  constexpr int kClasses = 7;
  constexpr std::size_t kSamples = 20;
  std::vector<float> scores = noise(kSamples * kClasses, 4);
  std::vector<std::int32_t> labels(kSamples), ranks(kSamples);
  for (std::size_t n = 0; n < kSamples; ++n) labels[n] = std::int32_t(n % kClasses);
  scores[3 * kClasses] = NAN;                             // no rank
  scores[7 * kClasses] = scores[7 * kClasses + 1] = 5;    // a tie: the lower class comes first
  scores[8 * kClasses] = scores[8 * kClasses + 1] = 500;  // no overflow
  std::vector<float> gradient(scores.size());
  std::vector<double> losses(kSamples);
  for (const double smoothing : {0.0, 0.3}) {
    run(kernels::SoftmaxCrossEntropyPass<float>{scores.data(), labels.data(), gradient.data(),
                                                losses.data(), ranks.data(), kClasses,
                                                1.0f / kSamples, float(smoothing)},
        kSamples);
    for (std::size_t n = 0; n < kSamples; ++n) {
      CAPTURE(n);
      if (n == 3 || n == 8) continue;
      const auto score = [&](int k) { return double(scores[n * kClasses + std::size_t(k)]); };
      const auto loss = [&](int k, double step) {
        double sum = 0, wanted = 0;
        for (int j = 0; j < kClasses; ++j) {
          const double s = score(j) + (j == k ? step : 0);
          sum += std::exp(s);
          wanted += s * (smoothing / kClasses + (j == labels[n] ? 1 - smoothing : 0));
        }
        return std::log(sum) - wanted;
      };
      CHECK(losses[n] == doctest::Approx(loss(-1, 0)).epsilon(1e-6));
      for (int k = 0; k < kClasses; ++k) {
        const double slope = (loss(k, 1e-4) - loss(k, -1e-4)) / 2e-4;
        CHECK(std::abs(double(gradient[n * kClasses + std::size_t(k)]) - slope / kSamples) < 1e-6);
      }
      std::int32_t before = 0;
      for (int k = 0; k < kClasses; ++k) {
        before += score(k) > score(labels[n]) || (score(k) == score(labels[n]) && k < labels[n]);
      }
      CHECK(ranks[n] == before);
    }
    CHECK(ranks[3] == Tally::kNoRank);
    CHECK(ranks[7] == 0);  // label 0
    CHECK(ranks[8] == 1);  // label 1
    CHECK((losses[8] == doctest::Approx(std::log(2.0))) == (smoothing == 0));
  }
}

TEST_CASE("parity: a handle gives back what it owns, once") {
  static int given_back;
  given_back = 0;
  using Number = cuda::Handle<int, [](int) { ++given_back; }>;
  {
    Number empty, owner;
    *owner.put() = 3;
    Number taker(std::move(owner));
    CHECK(taker == 3);
    CHECK(owner == 0);
    Number other;
    *other.put() = 4;
    other = std::move(taker);
    CHECK(other == 3);
    CHECK(given_back == 0);
  }
  CHECK(given_back == 2);
}

TEST_CASE("parity: every elementwise kernel is the same on a device") {
  const auto gpu = device();
  if (!gpu) return;
  const auto host = cpu();
  // Six vectors, which the kernels take in the places of their pointers.
  const auto trial = [](Backend& backend, int kind) {
    std::vector<Buffer> v;
    for (std::uint32_t k = 0; k < 6; ++k) {
      v.push_back(backend.allocate(kCount));
      backend.upload(noise(kCount, k), v.back());
    }
    float *a = v[0].data(), *b = v[1].data(), *c = v[2].data(), *d = v[3].data(), *e = v[4].data(),
          *f = v[5].data();
    const kernels::Elementwise all[] = {kernels::SgdStep{a, b, c, 0.1f, 0.01f},
                                        kernels::SgdStep{a, b, nullptr, 0.1f, 0.01f},
                                        kernels::NesterovStep{a, b, c, d, e, 0.1f, 0.9f, 0.01f},
                                        kernels::ElasticPull{a, b, c, 0.3f},
                                        kernels::AccumulatedStep{a, b, c, 0.1f, 0.01f},
                                        kernels::AdmmStep{a, b, c, d, e, f, 0.1f, 0.2f, 0.01f},
                                        kernels::Add{a, b},
                                        kernels::Average{a, b, 0.3f},
                                        kernels::MoveToCenter{a, b, c, d, 0.9f},
                                        kernels::Restart{a, b, c, nullptr, d},
                                        kernels::Absorb{a, b, c, b, 0.3f},
                                        kernels::Absorb{a, b, c, d, 0.3f},
                                        kernels::Copy{a, b},
                                        kernels::AddPart{a, b, 3, false},
                                        kernels::AddPart{a, b, 3, true},
                                        kernels::CenterMomentum{a, b, c, d, 0.9f},
                                        kernels::OuterStep{a, b, c, 0.7f, 0.9f},
                                        kernels::KeepMoving{a, b, c, 0.9f}};
    if (kind == std::ssize(all)) return std::vector<float>();
    backend.run(all[kind], kCount);
    backend.finish();
    std::vector<float> result;
    for (const Buffer& each : v) {
      std::vector<float> part(kCount);
      backend.download(each, part);
      result.insert(result.end(), part.begin(), part.end());
    }
    return result;
  };
  for (int kind = 0;; ++kind) {
    CAPTURE(kind);
    const std::vector<float> wanted = trial(*host, kind), found = trial(*gpu, kind);
    if (wanted.empty()) break;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CHECK(std::abs(found[i] - wanted[i]) <= 1e-6f);  // a multiply-add may be fused
    }
  }
}

TEST_CASE("parity: a squared distance in parts is that in one piece") {
  std::vector<float> x = noise(kCount, 1), c = noise(kCount, 2);
  const double wanted = kernels::squared_distance(x.data(), c.data(), kCount);
  for (const std::size_t parts : {1, 7, 1000, 1500}) {
    std::vector<double> sums(parts, -1);
    const auto sum = [&](const float* center) {
      run(kernels::SquaredDistance{sums.data(), x.data(), center, kCount, parts}, parts);
      if (parts % 4 != 0) return std::accumulate(sums.begin(), sums.end(), 0.0);
      std::vector<double> fewer(4, -1);
      run(kernels::AddNeighbours{fewer.data(), sums.data(), parts / 4}, 4);
      return std::accumulate(fewer.begin(), fewer.end(), 0.0);
    };
    CHECK(sum(c.data()) == doctest::Approx(wanted).epsilon(1e-12));
    CHECK(sum(nullptr) == doctest::Approx(kernels::squared_distance(x.data(), nullptr, kCount)));
  }
  const auto gpu = device();
  if (!gpu) return;
  const Buffer letter = gpu->allocate(kCount), center = gpu->allocate(kCount);
  gpu->upload(c, center);
  gpu->upload(x, letter);
  const auto distance = [&](ConstView from, ConstView to) {
    gpu->start_distance(from, to);
    return gpu->squared_distance();
  };
  CHECK(distance(letter, center) == doctest::Approx(wanted).epsilon(1e-12));
  x[kCount - 1] = std::numeric_limits<float>::quiet_NaN();
  gpu->upload(x, letter);
  CHECK_FALSE(std::isfinite(distance(letter, center)));
  CHECK_FALSE(std::isfinite(distance(letter, {})));
}

TEST_CASE("parity: a letter leaves a device while x is read, and a reply comes back") {
  const auto gpu = device();
  if (!gpu) return;
  const Buffer x = gpu->allocate(kCount), statistics = gpu->allocate(10),
               momentum = gpu->allocate(20), sum = gpu->allocate(kCount);
  const Buffer letter = gpu->allocate_mailbox(kCount + 30), reply = gpu->allocate_mailbox(kCount);
  std::vector<float> result(kCount);
  for (std::uint32_t round = 0; round < 100; ++round) {
    const std::vector<float> values = noise(kCount, round), tail = noise(30, round + 1000);
    gpu->upload(values, x);
    gpu->upload(ConstView(tail).first(10), statistics);
    gpu->upload(ConstView(tail).last(20), momentum);
    std::promise<void> posted;
    gpu->letters().post(std::vector<ConstView>{x, statistics, momentum}, letter,
                        [&posted] { posted.set_value(); });
    gpu->run(kernels::Add{statistics.data(), x.data()}, 10);  // at once
    gpu->run(kernels::Add{momentum.data(), x.data()}, 20);
    posted.get_future().wait();
    CHECK(std::ranges::equal(values, letter.view().first(kCount)));
    CHECK(std::ranges::equal(tail, letter.view().last(30)));
    std::ranges::copy(values, reply.view().begin());
    const ConstView there = gpu->letters().fetch(reply);
    gpu->run(kernels::MoveToCenter{sum.data(), x.data(), x.data(), there.data(), 0}, kCount);
    gpu->download(sum, result);
    CHECK(result == values);
  }
}

namespace {

struct Course {
  std::vector<double> losses;
  std::vector<float> statistics;  ///< running, at the end
};

/// Twenty steps of SGD from the same start on the same batches.
Course train(Backend& backend, const Network& network, const char* precision = "f32",
             bool graphs = true) {
  const auto model =
      backend.compile(network, {.batch = 32, .graphs = graphs, .precision = precision, .seed = 5});
  const Buffer state = backend.allocate(network.state_count());
  const Buffer g = backend.allocate(network.parameter_count());
  const View x = state.view().first(g.size()), statistics = state.view().subspan(g.size());
  backend.upload(random_parameters(network), state);
  Course course;
  for (std::uint64_t step = 0; step < 20; ++step) {
    const RandomBatch data(network, 32, step);
    model->gradient(x, data.batch, g, statistics);
    backend.run(kernels::SgdStep{x.data(), g.data(), nullptr, 0.05f, 0}, x.size());
    backend.finish();
    course.losses.push_back(model->take_tally().mean_loss());
  }
  course.statistics.resize(network.statistic_count());
  backend.download(statistics, course.statistics);
  return course;
}

}  // namespace

TEST_CASE("parity: steps on crops of a set that a device keeps are those on the same images") {
  const auto gpu = device();
  if (!gpu) return;
  constexpr std::size_t kBatch = 6;
  const ImageTable set = image_table({3, 10, 9}, 40);
  const Network network =
      make_network({3, 8, 8}, 10, "conv channels=8 kernel=3; relu; maxpool; linear outputs=10");
  for (const char* precision : {"f32", "bf16"}) {
    for (const bool graphs : {false, true}) {
      const auto losses = [&](bool crops) {
        LoaderOptions options{.batch = kBatch, .crop = {.side = 8, .pad = 2, .flip = true}};
        options.normalisation = {{0.4f, 0.5f, 0.6f}, {0.2f, 0.3f, 0.4f}};
        options.spawn = [](const std::function<void()>& task) { task(); };
        options.resident = crops;
        Loader batches(set, options);
        const auto model = gpu->compile(
            network, {.batch = kBatch, .graphs = graphs, .precision = precision, .seed = 5});
        const Buffer x = gpu->allocate(network.parameter_count());
        const Buffer g = gpu->allocate(network.parameter_count());
        gpu->upload(random_parameters(network), x);
        std::vector<double> result;
        for (std::uint64_t step = 0; step < 8; ++step) {
          const Batch& batch = batches.next(step);
          CHECK(batch.images.empty() == crops);
          model->gradient(x, batch, g, {});
          gpu->run(kernels::SgdStep{x.data(), g.data(), nullptr, 0.05f, 0}, x.size());
          gpu->finish();
          result.push_back(model->take_tally().mean_loss());
        }
        return result;
      };
      const std::vector<double> wanted = losses(false);
      CHECK(wanted[0] != wanted[1]);
      CHECK(losses(true) == wanted);
    }
  }
}

TEST_CASE("parity: a run's worth of steps of the paper's network, and of a residual one") {
  const auto gpu = device();
  const auto host = cpu();
  for (const char* layers :
       {"conv channels=64 kernel=5; relu; maxpool; conv channels=128 kernel=5; relu; maxpool; "
        "conv channels=64 kernel=3; relu; dropout rate=0.5; linear outputs=256; relu; "
        "dropout rate=0.5; linear outputs=10",
        "conv channels=16 kernel=3 pad=1 use_bias=false; batchnorm; relu; residual "
        "channels=16; "
        "residual channels=32 stride=2; avgpool kernel=14 stride=14; linear outputs=10"}) {
    CAPTURE(std::string(layers));
    const Network network = make_network({3, 28, 28}, 10, layers);
    const Course wanted = train(*host, network);
    CHECK(std::ranges::all_of(wanted.losses, [](double loss) { return std::isfinite(loss); }));
    if (!gpu) continue;
    const Course found = train(*gpu, network);
    for (std::size_t i = 0; i < wanted.losses.size(); ++i) {
      CHECK(found.losses[i] == doctest::Approx(wanted.losses[i]).epsilon(1e-4));
    }
    for (std::size_t i = 0; i < wanted.statistics.size(); ++i) {
      CHECK(found.statistics[i] == doctest::Approx(wanted.statistics[i]).epsilon(1e-3));
    }
    CHECK(train(*gpu, network, "f32", false).losses == found.losses);
    for (const auto& [precision, apart] : {std::pair{"tf32", 2e-2}, {"bf16", 5e-2}}) {
      CAPTURE(std::string(precision));
      const Course rounded = train(*gpu, network, precision);
      for (std::size_t i = 0; i < wanted.losses.size(); ++i) {
        CHECK(rounded.losses[i] == doctest::Approx(wanted.losses[i]).epsilon(apart));
      }
    }
  }
}

}  // namespace easgd::testing
