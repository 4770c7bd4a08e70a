// Does a CUDA device compute what the CPU computes? The passes of kernels/ are the same source on
// both: they are run here on the host, against formulas, and on a device, where there is one,
// against the host. Layers on a device are asked by layers_test, which takes every backend there
// is.
#include <doctest/doctest.h>

#include <cmath>
#include <future>
#include <limits>
#include <numeric>

#include "backend/backend.h"
#include "backend/cuda/handle.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "kernels/layer_passes.h"
#include "kernels/squared_distance.h"
#include "network_spec.h"
#include "nn/dropout_draws.h"
#include "random_batch.h"
#include "reference_network.h"
#include "relative.h"

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

/// The CUDA backend, or nothing, which the test says.
std::unique_ptr<Backend> device() {
  try {
    load_cuda();
    return (*Registry<BackendEntry>::find("cuda"))({});
  } catch (const DeviceError& e) {
    const std::string why = e.what();
    CHECK(why.find("undefined symbol") == std::string::npos);
    MESSAGE("skipped: " << why);
    return nullptr;
  }
}

std::unique_ptr<Backend> cpu() {
  return (*Registry<BackendEntry>::find("cpu"))({});
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
        run(kernels::Sum<float>{y, v, v}, kCount);
      },
      [](float* dx, const float* d, const float*, bool add) {
        run(kernels::Hand<float>{dx, d, add}, kCount);
        run(kernels::Hand<float>{dx, d, true}, kCount);
      });
}

TEST_CASE("parity: a NaN stays one") {
  const float x = NAN;
  float y = 0;
  kernels::ReluForward<float>{&y, &x}(0);
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

TEST_CASE("parity: the loss, its hits and its gradient") {
  constexpr int kClasses = 7;
  constexpr std::size_t kSamples = 20;
  std::vector<float> scores = noise(kSamples * kClasses, 4);
  std::vector<std::int32_t> labels(kSamples), hits(kSamples);
  for (std::size_t n = 0; n < kSamples; ++n) labels[n] = std::int32_t(n % kClasses);
  scores[3 * kClasses] = NAN;                             // no hit
  scores[7 * kClasses] = scores[7 * kClasses + 1] = 5;    // a tie: the lower class wins
  scores[8 * kClasses] = scores[8 * kClasses + 1] = 500;  // no overflow
  std::vector<float> gradient(scores.size());
  std::vector<double> losses(kSamples);
  run(kernels::SoftmaxCrossEntropyPass<float>{scores.data(), labels.data(), gradient.data(),
                                              losses.data(), hits.data(), kClasses,
                                              1.0f / kSamples},
      kSamples);
  for (std::size_t n = 0; n < kSamples; ++n) {
    CAPTURE(n);
    if (n == 3) continue;
    const auto loss = [&](int k, double step) {
      double sum = 0;
      for (int j = 0; j < kClasses; ++j) {
        sum += std::exp(double(scores[n * kClasses + std::size_t(j)]) + (j == k ? step : 0) - 500);
      }
      return std::log(sum) + 500 -
             (double(scores[n * kClasses + std::size_t(labels[n])]) + (labels[n] == k ? step : 0));
    };
    if (n != 8) CHECK(losses[n] == doctest::Approx(loss(-1, 0)).epsilon(1e-6));
    for (int k = 0; k < kClasses; ++k) {
      const double slope = (loss(k, 1e-4) - loss(k, -1e-4)) / 2e-4;
      if (n == 8) continue;
      CHECK(std::abs(double(gradient[n * kClasses + std::size_t(k)]) - slope / kSamples) < 1e-6);
    }
  }
  CHECK(hits[3] == 0);
  CHECK(hits[7] == 1);  // label 0
  CHECK(hits[8] == 0);  // label 1
  CHECK(losses[8] == doctest::Approx(std::log(2.0)));
}

TEST_CASE("parity: a handle gives back what it owns, once") {
  static int given_back;
  given_back = 0;
  using Number = cuda::Handle<int, [](int) { ++given_back; }>;
  {
    Number empty, owner;
    *owner.place() = 3;
    Number taker(std::move(owner));
    CHECK(taker == 3);
    CHECK(owner == 0);
    Number other;
    *other.place() = 4;
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
                                        kernels::Move{a, b, c, d, 0.9f},
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
  CHECK(gpu->squared_distance(letter, center) == doctest::Approx(wanted).epsilon(1e-12));
  x[kCount - 1] = std::numeric_limits<float>::quiet_NaN();
  gpu->upload(x, letter);
  CHECK_FALSE(std::isfinite(gpu->squared_distance(letter, center)));
  CHECK_FALSE(std::isfinite(gpu->squared_distance(letter, {})));
}

TEST_CASE("parity: a letter leaves a device while x is read, and a reply comes back") {
  const auto gpu = device();
  if (!gpu) return;
  const Buffer x = gpu->allocate(kCount), statistics = gpu->allocate(10),
               sum = gpu->allocate(kCount);
  const Buffer letter = gpu->allocate_mailbox(kCount + 10), reply = gpu->allocate_mailbox(kCount);
  std::vector<float> result(kCount);
  for (std::uint32_t round = 0; round < 100; ++round) {
    const std::vector<float> values = noise(kCount, round), tail = noise(10, round + 1000);
    gpu->upload(values, x);
    gpu->upload(tail, statistics);
    std::promise<void> posted;
    gpu->post(x, statistics, letter, [&posted] { posted.set_value(); });
    gpu->run(kernels::Add{statistics.data(), x.data()}, 10);  // at once
    posted.get_future().wait();
    CHECK(std::ranges::equal(values, letter.view().first(kCount)));
    CHECK(std::ranges::equal(tail, letter.view().last(10)));
    std::ranges::copy(values, reply.view().begin());
    const ConstView there = gpu->fetch(reply);
    gpu->run(kernels::Move{sum.data(), x.data(), x.data(), there.data(), 0}, kCount);
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
    const Course rounded = train(*gpu, network, "tf32");
    for (std::size_t i = 0; i < wanted.losses.size(); ++i) {
      CHECK(rounded.losses[i] == doctest::Approx(wanted.losses[i]).epsilon(2e-2));
    }
  }
}

}  // namespace easgd::testing
