// Does the theory give the numbers that were worked out by hand, and does the trainer follow it?

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <random>

#include "evaluate/curvature.h"
#include "network_spec.h"
#include "quadratic.h"
#include "random_batch.h"
#include "reference_network.h"
#include "settings/load.h"
#include "theory/additive_noise.h"
#include "theory/double_well.h"
#include "theory/multiplicative_noise.h"
#include "theory/round_robin.h"

using namespace easgd;
using namespace easgd::theory;

namespace {

/// |a - b| <= tolerance |b|
bool near(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::abs(b);
}

}  // namespace

TEST_CASE("spectral radii of a round-robin cycle of ADMM") {
  CHECK(std::abs(admm_spectral_radius({2, 0.001, 2.5}) - 0.9990018719) < 1e-9);
  CHECK(std::abs(admm_spectral_radius({3, 0.001, 2.5}) - 1.0009738854) < 1e-9);
  CHECK(std::abs(admm_spectral_radius({8, 0.001, 2.5}) - 1.0022578662) < 1e-9);
  const double rho[] = {0.5, 1, 2.5, 5, 7.5, 10};
  struct Row {
    int workers;
    double eta;
    double radius[6];
  };
  const Row rows[] = {
      {3, 1e-4, {1.000361, 1.000511, 1.000777, 1.001022, 1.001172, 1.001272}},
      {3, 1e-3, {1.000571, 1.000820, 1.000974, 1.000601, 0.999922, 0.999084}},
      {3, 3e-3, {0.999930, 0.999935, 0.998916, 0.997030, 0.997044, 0.997059}},
      {3, 1e-2, {0.996074, 0.994552, 0.990164, 0.990323, 0.990477, 0.990626}},
      {8, 1e-4, {1.000502, 1.000715, 1.001112, 1.001515, 1.001794, 1.002008}},
      {8, 1e-3, {1.001064, 1.001556, 1.002258, 1.002606, 1.002552, 1.002288}},
      {8, 3e-3, {1.000867, 1.001373, 1.001542, 1.000382, 0.998515, 0.997050}},
      {8, 1e-2, {0.998068, 0.997736, 0.994253, 0.990274, 0.990406, 0.990534}},
  };
  for (const Row& row : rows) {
    for (int i = 0; i < 6; ++i) {
      CAPTURE(row.workers);
      CAPTURE(row.eta);
      CAPTURE(rho[i]);
      CHECK(std::abs(admm_spectral_radius({row.workers, row.eta, rho[i]}) - row.radius[i]) < 6e-7);
    }
  }
}

TEST_CASE("on the paper's grid ADMM is stable for two workers, and not for three") {
  double largest2 = 0, largest3 = 0, largest8 = 0, eta3 = 0, rho3 = 0;
  int unstable3 = 0, unstable8 = 0;
  for (int i = 1; i <= 100; ++i) {
    for (int k = 1; k <= 100; ++k) {
      const double eta = 1e-4 * i, rho = 0.1 * k;
      largest2 = std::max(largest2, admm_spectral_radius({2, eta, rho}));
      const double radius = admm_spectral_radius({3, eta, rho});
      unstable3 += radius > 1;
      const double radius8 = admm_spectral_radius({8, eta, rho});
      unstable8 += radius8 > 1;
      largest8 = std::max(largest8, radius8);
      if (radius > largest3) largest3 = radius, eta3 = eta, rho3 = rho;
    }
  }
  CHECK(std::abs(largest2 - 0.9999422) < 1e-7);
  CHECK(std::abs(largest3 - 1.0013779) < 1e-7);
  CHECK(std::abs(largest8 - 1.0028583) < 1e-7);
  CHECK(std::abs(unstable8 / 10000.0 - 0.350) < 0.0006);
  CHECK(near(eta3, 2e-4, 1e-9));
  CHECK(near(rho3, 10, 1e-9));
  CHECK(std::abs(unstable3 / 10000.0 - 0.148) < 0.0006);
}

TEST_CASE("the center of round-robin ADMM decays first, then diverges; that of EASGD does not") {
  const RoundRobin scheme{3, 0.001, 2.5};
  const Trajectory admm = admm_trajectory(scheme, 1000, 300001, 1);
  const auto at = [&](long t) { return admm.center[std::size_t(t)]; };
  CHECK(near(at(0), 999.6675, 1e-7));
  CHECK(near(at(1), 999.4453, 1e-7));
  CHECK(near(at(10), 996.6369, 1e-7));
  CHECK(near(at(100), 967.2560, 1e-7));
  CHECK(near(at(1000), 716.8093, 1e-7));
  CHECK(near(at(3000), 368.2233, 2e-7));
  CHECK(near(at(10000), 34.9623, 1e-5));
  CHECK(near(at(30000), 341.66, 1e-4));
  CHECK(near(at(100000), 3.83e12, 2e-3));
  CHECK(near(at(300000), -2.18e40, 5e-3));
  const Trajectory easgd = easgd_trajectory(scheme, 1000, 100000, 1000);
  CHECK(easgd.center.size() == 101);
  CHECK(std::abs(easgd.center.back()) < 1e-6);
}

TEST_CASE("EASGD: spectral radii, and a region that is proven for any number of workers") {
  CHECK(std::abs(easgd_spectral_radius({3, 0.001, 2.5}) - 0.9992698) < 6e-8);
  CHECK(std::abs(easgd_spectral_radius({8, 0.001, 2.5}) - 0.9991157) < 6e-8);
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 2000; ++i) {
    const int workers = 1 + int(9 * uniform(random));
    const double eta = 2 * uniform(random);
    const double alpha = uniform(random) * (4 - 2 * eta) / (4 - eta);
    const RoundRobin scheme{workers, eta, alpha / eta};
    CHECK(easgd_is_proven_stable(scheme));
    CHECK(easgd_spectral_radius(scheme) <= 1 + 1e-9);
  }
  // At the edge one eigenvalue is -1: exact for one worker, just outside it diverges.
  const double eta = 1, edge = (4 - 2 * eta) / (4 - eta);
  CHECK(std::abs(easgd_spectral_radius({1, eta, edge}) - 1) < 1e-12);
  CHECK(easgd_spectral_radius({1, eta, edge + 0.01}) > 1);
  CHECK_FALSE(easgd_is_proven_stable({1, eta, edge + 0.01}));
}

TEST_CASE("each single ADMM map is stable where its cycle is not") {
  CHECK(admm_single_map_is_stable({3, 0.001, 2.5}));
  CHECK(admm_single_map_is_stable({8, 0.001, 2.5}));
  CHECK_FALSE(admm_single_map_is_stable({4, 5, 0.1}));
}

TEST_CASE("Lemma 7.1: bias and variance of the synchronous center") {
  const AdditiveNoise model{4, 0.1, 0.225, 1, 10};
  CHECK(near(lemma_roots(model).gamma, 0.9215002340823, 1e-12));
  CHECK(near(lemma_roots(model).phi, -0.1465002340823, 1e-12));
  CHECK(center_moments(model, 1, 1).bias == doctest::Approx(1));
  CHECK(std::abs(center_moments(model, 1, 1).variance) < 1e-12);
  CHECK(near(center_moments(model, 1, 2).bias, 0.91, 1e-12));
  CHECK(near(center_moments(model, 1, 2).variance, 0.2025, 1e-12));
  CHECK(near(center_moments(model, 1, 10).bias, 0.4739769294, 1e-9));
  CHECK(near(center_moments(model, 1, 10).variance, 0.8161369951, 1e-9));
  CHECK(near(center_moments(model, 1, 100).bias, 3.0223704e-4, 1e-7));
  CHECK(near(center_moments(model, 1, 100).variance, 1.0455838759, 1e-9));
}

TEST_CASE("stationary variance: p times it, and its limit for many workers") {
  struct Row {
    double eta, beta;
    int workers;
    double expected;
  };
  for (const Row& row : {Row{0.1, 0.9, 1, 0.0325776338},
                         {0.1, 0.9, 4, 0.0418233588},
                         {0.1, 0.9, 16, 0.0486913744},
                         {0.1, 0.9, 256, 0.0513886561},
                         {0.5, 0.5, 1, 0.12},
                         {0.5, 0.5, 4, 0.1607142857},
                         {0.5, 0.5, 16, 0.1782857143},
                         {0.5, 0.5, 256, 0.1847363072}}) {
    const AdditiveNoise model{row.workers, row.eta, row.beta / row.workers, 1, 1};
    CHECK(near(row.workers * stationary_center_variance(model), row.expected, 2e-9));
    CHECK(near(center_moments(model, 0, 100000).variance, stationary_center_variance(model), 1e-9));
  }
  CHECK(near(many_workers_limit(0.1, 0.9, 1, 1), 0.0515799989, 1e-9));
  CHECK(near(many_workers_limit(0.5, 0.5, 1, 1), 0.1851851852, 1e-9));
}

TEST_CASE("the mean squared error of the center over workers and steps") {
  const double small[5][3] = {{1.1644, 1.7287, 1.7292},
                              {.6317, .2507, .2507},
                              {.5512, .0263, .0263},
                              {.5428, .0026, .0026},
                              {.5419, .0003, .0003}};
  for (int i = 0; i < 5; ++i) {
    const int p = int(std::pow(10, i));
    const AdditiveNoise model{p, 0.1, 0.1 / p, 1, 10};
    CHECK(std::abs(center_moments(model, 1, 10).mean_squared_error() - small[i][0]) < 6e-5);
    CHECK(std::abs(center_moments(model, 1, 100).mean_squared_error() - small[i][1]) < 6e-5);
    CHECK(std::abs(stationary_center_variance(model) - small[i][2]) < 6e-5);
    CHECK(is_stable(model));
  }
  const AdditiveNoise one{1, 1, 1, 1, 10};  // p = 1, eta = beta = 1: unstable
  CHECK(near(center_moments(one, 1, 10).mean_squared_error(), 1.87e5, 3e-3));
  CHECK(near(center_moments(one, 1, 100).mean_squared_error(), 7.8e42, 1e-2));
  CHECK_FALSE(is_stable(one));
}

TEST_CASE("double averaging: the time average has the best possible variance") {
  const AdditiveNoise model{4, 0.1, 0.225, 1, 2};
  CHECK(std::abs(averaged_variance(model, 100) - 0.80292) < 6e-6);
  CHECK(std::abs(averaged_variance(model, 1000) - 0.98028) < 6e-6);
  CHECK(std::abs(averaged_variance(model, 20000) - 0.99901) < 6e-6);
}

TEST_CASE("the fastest moving rate is negative") {
  const double rows[][4] = {{.1, .9, -.4, .7},
                            {.1, .5, -.152786, .776393},
                            {.5, .9, -.058359, .329180},
                            {.04, 1, -.64, .8},
                            {.1, .1, 0, .9}};
  for (const auto& row : rows) {
    const FastestRate best = fastest_moving_rate(row[0], row[1], 1);
    CHECK(std::abs(best.alpha - row[2]) < 6e-7);
    CHECK(std::abs(best.rate - row[3]) < 6e-7);
  }
}

TEST_CASE("multiplicative noise: second moments step by step") {
  const MultiplicativeNoise model{3, 0.3, 0.1, 0.4, 0.5, 0.5};
  const SecondMoments expected[] = {
      {1, .7, .67, .49}, {.784, .472, .4558, .2704}, {.561952, .315568, .310612, .161824}};
  SecondMoments moments = {1, 1, 1, 1};
  for (const SecondMoments& wanted : expected) {
    moments = next(model, moments);
    for (std::size_t i = 0; i < 4; ++i) CHECK(near(moments[i], wanted[i], 1e-9));
  }
}

TEST_CASE("multiplicative noise: the best rates, and that EASGD gains less than batching") {
  struct Row {
    double lambda;
    int workers;
    double minibatch, easgd;
  };
  for (const Row& row : {Row{.5, 1, .6667, .6667},
                         {.5, 4, .3333, .5732},
                         {.5, 16, .1111, .5146},
                         {1, 4, .2, .4362},
                         {2, 4, .1111, .3022},
                         {10, 4, .0244, .0895}}) {
    const MultiplicativeNoise model{row.workers, 0, 0, 0, row.lambda, row.lambda};
    CAPTURE(row.lambda);
    CAPTURE(row.workers);
    CHECK(std::abs(minibatch_best_radius(model) - row.minibatch) < 6e-5);
    CHECK(std::abs(moment_radius(fastest(model)) - row.easgd) < 6e-5);
  }
}

TEST_CASE("the double well traps EASGD up to rho = 2/3") {
  for (const double rho : {0.1, 0.5, 0.6, 0.66, 0.7, 0.9}) {
    const double expected = 1 - std::sqrt(1 - 4 * rho + 6 * rho * rho);
    CHECK(std::abs(double_well_eigenvalues(rho)[0] - expected) < 1e-12);
  }
  CHECK(std::abs(double_well_eigenvalues(0.5)[0] - .2929) < 6e-5);
  CHECK(std::abs(double_well_eigenvalues(0.9)[0] + .5033) < 6e-5);
  CHECK(std::abs(double_well_eigenvalues(2.0 / 3)[0]) < 1e-12);
  CHECK(std::abs(double_well_eigenvalues(1.0 / 3)[0] - .4226) < 6e-5);
}

TEST_CASE("the trainer's own synchronous EASGD has the variance of Lemma 7.1") {
  // Coordinates 3, 7, 11, ... have curvature 1: each is a sample of the same scalar run.
  constexpr std::size_t kCount = 16384, kSamples = kCount / 4;
  quadratic::Toy toy;
  toy.config.algorithm.name = "easgd";
  toy.config.algorithm.exchange = Exchange::synchronous;
  toy.config.algorithm.tau = 1;
  toy.config.algorithm.learning_rate = 0.1;
  toy.count = kCount;
  toy.order = synchronous_order;
  struct Case {
    int workers;
    double alpha;
    long steps;
  };
  for (const auto& [workers, alpha, steps] :
       {Case{4, 0.225, 2}, {4, 0.225, 10}, {4, 0.225, 60}, {7, 0.05, 2}, {7, 0.05, 40}}) {
    toy.workers = std::size_t(workers);
    toy.config.algorithm.alpha = alpha;
    const AdditiveNoise model{workers, 0.1, alpha, 1, 1 / std::sqrt(3.0)};  // uniform in -1..1
    toy.config.stop.steps = steps;
    const std::vector<float> center = toy.run();
    double sum = 0, squares = 0;
    for (std::size_t j = 3; j < kCount; j += 4) {
      const double deviation = center[j] - center_moments(model, quadratic::start(j), steps).bias;
      sum += deviation;
      squares += deviation * deviation;
    }
    const double mean = sum / kSamples, variance = squares / kSamples - mean * mean;
    const double expected = center_moments(model, 1, steps).variance;
    CAPTURE(workers);
    CAPTURE(steps);
    // In standard errors, of which two are passed once in twenty cases; the noise is always the
    // same.
    MESSAGE("mean ", mean / std::sqrt(expected / kSamples), ", variance ",
            (variance - expected) / (expected * std::sqrt(2.0 / kSamples)));
    CHECK(std::abs(mean) < 2.5 * std::sqrt(expected / kSamples));
    CHECK(std::abs(variance - expected) < 2.5 * expected * std::sqrt(2.0 / kSamples));
  }
}

TEST_CASE("the trainer's own ADMM in turns is the cycle of the theory") {
  quadratic::Toy toy;
  toy.config.algorithm.name = "admm";
  toy.config.algorithm.tau = 1;
  toy.config.algorithm.learning_rate = 0.05;
  toy.config.algorithm.rho = 2.5;
  toy.config.stop.steps = 40;
  toy.workers = 3;
  toy.noise_scale = 0;
  toy.order = round_robin_pairs;
  const std::vector<float> center = toy.run();
  for (std::size_t j = 0; j < toy.count; ++j) {
    const RoundRobin scheme{3, 0.05, 2.5, quadratic::curvature(j)};
    const double expected =
        admm_trajectory(scheme, quadratic::start(j), 3 * 40, 3 * 40).center.back();
    CHECK(std::abs(center[j] - expected) < 1e-5);
  }
}

namespace {

/// Largest eigenvalue of the mean of x x^T over images [N][D] with a 1 at the end of each.
double largest_second_moment(ConstView images, std::size_t count) {
  const std::size_t size = images.size() / count;
  std::vector<double> v(size + 1, 1);
  double length = 0;
  for (int iteration = 0; iteration < 300; ++iteration) {
    std::vector<double> next(size + 1);
    for (std::size_t n = 0; n < count; ++n) {
      const ConstView x = images.subspan(n * size, size);
      double dot = v[size];
      for (std::size_t i = 0; i < size; ++i) dot += double(x[i]) * v[i];
      for (std::size_t i = 0; i < size; ++i) next[i] += dot * double(x[i]) / double(count);
      next[size] += dot / double(count);
    }
    length = 0;
    for (const double a : next) length += a * a;
    length = std::sqrt(length);
    for (std::size_t i = 0; i <= size; ++i) v[i] = next[i] / length;
  }
  return length;
}

}  // namespace

TEST_CASE("the measured curvature of softmax regression at zero is that of its exact Hessian") {
  // All classes have probability 1/K there: H = (I - 1 1^T / K) / K (x) mean of x x^T.
  constexpr std::size_t kSamples = 64;
  Config config = load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml",
                              {"data.limit=64", "data.test_limit=1", "workers.batch=64"});
  const Data data(config);
  const Network network = make_network(config, data.split.train->shape(), 10);
  const Buffer state = initial_state(config, network);
  const Curvature measured = measure_curvature(config, data, network, state, 200);
  Loader all(*data.split.train,
             {.batch = kSamples, .limit = kSamples, .normalisation = data.normalisation});
  const double exact = largest_second_moment(all.next(0).images, kSamples) / 10;
  CHECK(measured.settled);
  CHECK(exact > 1);
  CHECK(measured.largest == doctest::Approx(exact).epsilon(0.01));
}

namespace {

/// Second differences of the mean loss in double, all pairs of parameters.
Eigen::MatrixXd exact_hessian(const Network& network, const std::vector<float>& x,
                              const Batch& batch) {
  constexpr double kStep = 1e-4;
  testing::Doubles at(x.begin(), x.end());
  const auto moved = [&](std::size_t i, double by_i, std::size_t j, double by_j) {
    testing::Doubles there = at;
    there[i] += by_i;
    there[j] += by_j;
    return testing::reference_loss(network, there, batch, true, 1) / double(batch.size());
  };
  Eigen::MatrixXd h(x.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double same = moved(i, kStep, j, kStep) + moved(i, -kStep, j, -kStep);
      const double other = moved(i, kStep, j, -kStep) + moved(i, -kStep, j, kStep);
      h(long(i), long(j)) = h(long(j), long(i)) = (same - other) / (4 * kStep * kStep);
    }
  }
  return h;
}

}  // namespace

TEST_CASE("the measured curvature is the highest, also where the lowest is farther from 0") {
  constexpr std::size_t kSamples = 16;
  Config config = load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml",
                              {"data.limit=16", "data.test_limit=1", "workers.batch=16"});
  const Data data(config);
  const Network network = testing::make_network(
      data.split.train->shape(), 10,
      "avgpool kernel=16 stride=16; linear outputs=2; tanh; linear outputs=10");
  Loader all(*data.split.train,
             {.batch = kSamples, .limit = kSamples, .normalisation = data.normalisation});
  const Batch& batch = all.next(0);
  int negative = 0, positive = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    std::vector<float> x = testing::random_parameters(network, seed);
    for (float& value : x) value *= 6;  // saturated: far from convex
    const Eigen::VectorXd values =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(exact_hessian(network, x, batch))
            .eigenvalues();
    const double lowest = values.minCoeff(), highest = values.maxCoeff();
    ++(-lowest > highest ? negative : positive);
    const Curvature measured = measure_curvature(config, data, network, x, 200);
    CHECK(measured.settled);
    CHECK(measured.largest == doctest::Approx(highest).epsilon(0.02));
    const Curvature brief = measure_curvature(config, data, network, x, 1);
    CHECK_FALSE(brief.settled);
    CHECK(brief.largest < highest);
  }
  CHECK(negative > 0);
  CHECK(positive > 0);
}
