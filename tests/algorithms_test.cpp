// The identities of the paper's algorithms; their formulas one by one are in methods_test.cpp.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "kernels/local_step.h"
#include "kernels/squared_distance.h"
#include "quadratic.h"
#include "train/fingerprint.h"

using namespace easgd;
using quadratic::Toy;

namespace {

Config config_of(const std::string& name, const std::string& exchange, std::int64_t tau,
                 std::int64_t steps) {
  Config config;
  config.algorithm.name = name;
  config.algorithm.exchange = config::named<Exchange>(exchange);
  config.algorithm.tau = tau;
  config.algorithm.learning_rate = 0.05;
  config.algorithm.momentum = 0.9;
  config.algorithm.weight_decay = 0.01;
  config.algorithm.alpha = 0.2;
  config.stop.steps = steps;
  return config;
}

Toy toy_of(const Config& config, std::size_t workers) {
  Toy toy;
  toy.config = config;
  toy.workers = workers;
  if (config.algorithm.exchange == Exchange::synchronous) toy.order = synchronous_order;
  return toy;
}

double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t j = 0; j < a.size(); ++j) largest = std::max(largest, std::abs(a[j] - b[j]));
  return largest;
}

}  // namespace

TEST_CASE("EAMSGD without momentum is EASGD") {
  for (const char* exchange : {"asynchronous", "synchronous"}) {
    Config eamsgd = config_of("eamsgd", exchange, 3, 100);
    eamsgd.algorithm.momentum = 0;
    const Config easgd = config_of("easgd", exchange, 3, 100);
    const std::vector<float> expected = toy_of(easgd, 4).run();
    CHECK(largest_difference(toy_of(eamsgd, 4).run(), {expected.begin(), expected.end()}) < 1e-6);
  }
}

TEST_CASE("with alpha = 0 the center stays and workers are independent SGD") {
  Config config = config_of("easgd", "asynchronous", 1, 60);
  config.algorithm.alpha = 0;
  Toy toy = toy_of(config, 3);
  // What each worker sends last is what SGD alone would have reached.
  std::vector<std::vector<float>> seen(3);
  toy.after_gradient = [&](std::uint32_t worker, std::uint64_t step, View g) {
    if (step + 1 == 60) seen[worker].assign(g.begin(), g.end());
  };
  const std::vector<float> center = toy.run();
  const Buffer x0 = quadratic::start_vector(toy.count);
  CHECK(std::vector<float>(x0.view().begin(), x0.view().end()) == center);
  for (std::size_t w = 0; w < 3; ++w) {
    for (std::size_t j = 0; j < toy.count; ++j) {
      double x = quadratic::start(j), g = 0;
      for (std::uint64_t t = 0; t < 60; ++t) {
        g = quadratic::curvature(j) * x - quadratic::noise(std::uint32_t(w), t, j);
        x -= 0.05 * (g + 0.01 * x);
      }
      CHECK(std::abs(double(seen[w][j]) - g) < 1e-6);
    }
  }
}

TEST_CASE("p workers in lock-step at tau = 1 are equations (5) and (6)") {
  const Config config = config_of("easgd", "synchronous", 1, 50);
  const Toy toy = toy_of(config, 4);
  const double eta = 0.05, alpha = 0.2, beta = 4 * alpha;
  std::vector<double> expected(toy.count);
  for (std::size_t j = 0; j < toy.count; ++j) {
    std::vector<double> x(4, quadratic::start(j));
    double c = x[0];
    for (std::uint64_t t = 0; t < 50; ++t) {
      double mean = 0;
      for (const double xi : x) mean += xi / 4;
      const double c_next = (1 - beta) * c + beta * mean;
      for (std::size_t w = 0; w < 4; ++w) {
        const double g =
            (quadratic::curvature(j) + 0.01) * x[w] - quadratic::noise(std::uint32_t(w), t, j);
        x[w] = x[w] - eta * g - alpha * (x[w] - c);
      }
      c = c_next;
    }
    expected[j] = c;
  }
  CHECK(largest_difference(toy.run(), expected) < 1e-6);
}

TEST_CASE("an exchange conserves x + center") {
  constexpr std::size_t kCount = 5000;
  std::vector<float> x(kCount), center(kCount), pull(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    x[i] = float(quadratic::noise(0, 0, i));
    center[i] = float(quadratic::noise(1, 0, i));
  }
  const std::vector<float> before = center, x_before = x;
  const kernels::Absorb absorb{pull.data(), center.data(), x.data(), center.data(), 0.3f};
  const std::vector<float> zero(kCount, 0.0f);
  const kernels::SgdStep step{x.data(), zero.data(), pull.data(), 0.1f, 0.0f};
  for (std::size_t i = 0; i < kCount; ++i) {
    absorb(i);
    step(i);
    CHECK(pull[i] == 0.3f * (x_before[i] - before[i]));
    const double gained = double(center[i]) - double(before[i]);
    const double lost = double(x_before[i]) - double(x[i]);
    CHECK(std::abs(gained - lost) < 1e-6);
  }
}

TEST_CASE("an exchange of a whole team conserves x + center where the gradient is zero") {
  for (const char* exchange : {"asynchronous", "synchronous"}) {
    Config config = config_of("easgd", exchange, 2, 6);
    config.algorithm.weight_decay = 0;
    Toy toy = toy_of(config, 1);
    toy.noise_scale = 0;
    std::vector<std::vector<double>> x(6), center(6);
    toy.after_gradient = [&](std::uint32_t, std::uint64_t step, View g) {
      for (std::size_t j = 0; j < g.size(); ++j) {
        x[step].push_back(double(g[j]) / quadratic::curvature(j));
        if (step >= 2) g[j] = 0;  // the steps before part x from the center
      }
    };
    // Letters 1, 2, 3 are those of steps 0, 2, 4: the center after them is that of the next step.
    toy.on_version = [&](const CenterView& c) {
      center[2 * c.version - 1].assign(c.center.begin(), c.center.end());
    };
    toy.run();
    for (const std::size_t step : {2, 4}) {
      REQUIRE(center[step + 1].size() == toy.count);
      for (std::size_t j = 0; j < toy.count; ++j) {
        const double before = x[step][j] + center[step - 1][j];
        const double after = x[step + 1][j] + center[step + 1][j];
        CHECK(std::abs(after - before) < 1e-6);
        CHECK(std::abs(center[step + 1][j] - center[step - 1][j]) > 1e-3);
      }
    }
  }
}

TEST_CASE("letters of a round meet the same center") {
  const float x[2] = {1.0f, 3.0f};
  float pull[2], start = 0;
  const auto backend = make_host_backend();
  const Algorithm& easgd = Registry<Algorithm>::get("easgd");
  const auto rule = easgd.center(*backend, {}, {&start, 1});
  float center = start;
  const Letter letters[2] = {{{&x[0], 1}, {&pull[0], 1}, {.alpha = 0.5f}, 0, 0},
                             {{&x[1], 1}, {&pull[1], 1}, {.alpha = 0.25f}, 1, 0}};
  rule->absorb(Round(letters), {&center, 1});
  CHECK(pull[0] == 0.5f);
  CHECK(pull[1] == 0.75f);
  CHECK(center == 1.25f);
}

TEST_CASE("distance to the center tells what is not finite") {
  std::vector<float> x(100, 2.0f), center(100, 1.0f);
  CHECK(kernels::squared_distance(x.data(), center.data(), 100) == 100);
  x[99] = NAN;
  CHECK(!std::isfinite(kernels::squared_distance(x.data(), center.data(), 100)));
  x[99] = 3e38f;  // finite, though its square is no float
  CHECK(std::isfinite(kernels::squared_distance(x.data(), center.data(), 100)));
  x[50] = INFINITY;
  CHECK(!std::isfinite(kernels::squared_distance(x.data(), center.data(), 100)));
}

TEST_CASE("what every method computes is what tests/fingerprint.txt has of it, to the last bit") {
#ifndef EASGD_OPTIMISED
  MESSAGE("skipped: fingerprints are those of -O2 or -O3; see train/fingerprint.h");
  return;
#endif
  std::ifstream file(EASGD_SOURCE_ROOT "/tests/fingerprint.txt");
  std::map<std::string, std::string> kept, found;
  std::string number, name;
  while (file >> number >> name) kept[name] = number;
  const auto each = fingerprints();
  for (const auto& [method, value] : each) found[method] = fmt::format("{:016x}", value);
  found["all"] = fmt::format("{:016x}", fingerprint_of_all(each));
  // If a method was meant to change: build/easgd fingerprint > tests/fingerprint.txt
  CHECK(found == kept);
  CHECK(found.size() == Registry<Algorithm>::names().size() + 1);
  std::set<std::string> numbers;
  for (const auto& [method, value] : found) numbers.insert(value);
  CHECK(numbers.size() == found.size());  // no two methods compute the same
}

TEST_CASE("rho, alpha and beta are one number, and the edge of stability is the paper's") {
  AlgorithmConfig a;
  a.learning_rate = 0.05;
  a.beta = 0.9;
  const ElasticRates e = derive(a, 4);
  CHECK(e.alpha == doctest::Approx(0.225));
  CHECK(e.rho == doctest::Approx(4.5));
  a.beta.reset();
  a.rho = 4.5;
  CHECK(derive(a, 4).beta == doctest::Approx(0.9));

  a.exchange = Exchange::asynchronous;
  a.learning_rate = 1;  // limit (4 - 2) / (4 - 1) = 2/3
  CHECK_FALSE(stability_warning(a, {0, 0.6666, 0}));
  const auto warning = stability_warning(a, {0, 0.6667, 0});
  REQUIRE(warning);
  CHECK(warning->find("0.6667") != std::string::npos);
  a.exchange = Exchange::synchronous;  // (2 - 1)(2 - beta) > 2 alpha, p = 4: alpha < 1/3
  CHECK_FALSE(stability_warning(a, {0, 0.333, 4 * 0.333}));
  CHECK(stability_warning(a, {0, 0.334, 4 * 0.334}));
}
