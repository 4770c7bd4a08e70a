// Are the formulas the papers'? Every registered algorithm against a scalar simulation in double
// precision that shares no code with it: the quadratic of quadratic.h, with gradient noise.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "own_keys.h"
#include "quadratic.h"

using namespace easgd;
using quadratic::Toy;

namespace {

/// One coordinate of a run: workers take turns in the order 0, 1, 2, ...
struct Simulation {
  const Config& config;
  std::size_t p, j;
  std::uint64_t steps;

  const AlgorithmConfig& a = config.algorithm;
  const bool rounds = a.exchange == Exchange::synchronous;
  double c = quadratic::start(j);
  std::vector<double> x = std::vector<double>(p, c), v = std::vector<double>(p, 0.0),
                      u = std::vector<double>(p, 0.0);

  /// The gradient with its l2 term, at a point.
  double g(std::size_t w, std::uint64_t t, double point) const {
    return (quadratic::curvature(j) + a.weight_decay) * point -
           quadratic::noise(std::uint32_t(w), t, j);
  }
  /// Exchanges follow each other at tau steps, multiplied from a part of the run on.
  bool exchanges(std::uint64_t t) const {
    std::uint64_t next = 0;
    while (next < t) {
      const bool later =
          !a.tau_schedule.at.empty() && double(next) >= a.tau_schedule.at[0] * double(steps);
      next += std::uint64_t(a.tau) * (later ? std::uint64_t(a.tau_schedule.factor) : 1);
    }
    return next == t;
  }
  double mean(const std::vector<double>& of) const {
    return std::accumulate(of.begin(), of.end(), 0.0) / double(p);
  }
  void sgd(std::size_t w, std::uint64_t t) { x[w] -= a.learning_rate * g(w, t, x[w]); }
  void nesterov(std::size_t w, std::uint64_t t) {
    v[w] = a.momentum * v[w] - a.learning_rate * g(w, t, x[w] + a.momentum * v[w]);
    x[w] += v[w];
  }
  void local(std::size_t w, std::uint64_t t, bool momentum) {
    momentum ? nesterov(w, t) : sgd(w, t);
  }
  /// Calls each worker's part for every step; in rounds, `before` of all comes first, then `after`.
  template <class Before, class After>
  void run(Before before, After after) {
    for (std::uint64_t t = 0; t < steps; ++t) {
      if (rounds) {
        for (std::size_t w = 0; w < p; ++w) before(w, t);
        for (std::size_t w = 0; w < p; ++w) after(w, t);
      } else {
        for (std::size_t w = 0; w < p; ++w) before(w, t), after(w, t);
      }
    }
  }

  double single(bool momentum) {
    for (std::uint64_t t = 0; t < steps; ++t) local(0, t, momentum);
    return x[0];
  }

  double averaged_sgd(bool mean_of_all) {
    double z = c;
    for (std::uint64_t t = 0; t < steps; ++t) {
      const double weight = mean_of_all ? 1 / double(t + 1) : *a.alpha;
      z = (1 - weight) * z + weight * x[0];
      sgd(0, t);
    }
    return z;
  }

  double elastic(bool momentum, double mu = 0) {
    std::vector<double> pull(p);
    double motion = 0;
    for (std::uint64_t t = 0; t < steps; ++t) {
      const double c_round = c;
      for (std::size_t w = 0; w < p; ++w) {
        pull[w] = exchanges(t) ? *a.alpha * (x[w] - (rounds ? c_round : c)) : 0;
        c += pull[w];
        local(w, t, momentum);
        x[w] -= pull[w];
      }
      if (exchanges(t)) {
        c += mu * motion;
        motion = c - c_round;
      }
    }
    return c;
  }

  double gauss_seidel(bool momentum) {
    double c_after = c;
    run(
        [&](std::size_t w, std::uint64_t t) {
          if (w == 0 || !rounds) c = c_after;
          const double pull = exchanges(t) ? *a.alpha * (x[w] - c) : 0;
          local(w, t, momentum);
          x[w] -= pull;
          if (!rounds && exchanges(t)) c_after += *a.alpha * (x[w] - c);
        },
        [&](std::size_t w, std::uint64_t t) {
          if (rounds && exchanges(t)) c_after += *a.alpha * (x[w] - c);
        });
    return c_after;
  }

  double downpour(int average) {
    double z = c;
    std::uint64_t changes = 0;
    const auto average_in = [&] {
      const double weight = average == 1 ? 1 / double(++changes) : *a.alpha;
      if (average) z = (1 - weight) * z + weight * c;
    };
    const auto push = [&](std::size_t w) {
      if (w == 0 || !rounds) average_in();
      c += u[w];
      u[w] = 0;
    };
    run(
        [&](std::size_t w, std::uint64_t t) {
          if (exchanges(t)) push(w);
        },
        [&](std::size_t w, std::uint64_t t) {
          if (exchanges(t)) x[w] = c;
          const double before = x[w];
          sgd(w, t);
          u[w] += x[w] - before;
        });
    for (std::size_t w = 0; w < p; ++w) push(w);
    return average ? z : c;
  }

  double center_momentum(bool averages) {
    double velocity = 0, y = c, y_pulled = y;
    const auto step = [&](double letter) {
      velocity = a.momentum * velocity + letter;
      c += velocity;
      y = c + a.momentum * velocity;
    };
    run(
        [&](std::size_t w, std::uint64_t t) {
          if (w == 0 || !rounds) y_pulled = y;
          u[w] = -a.learning_rate * g(w, t, y_pulled);
        },
        [&](std::size_t w, std::uint64_t) {
          if (!averages) step(u[w]);
          if (averages && w + 1 == p) step(mean(u));
        });
    return c;
  }

  double admm() {
    const double k = *a.alpha;  // eta rho
    std::vector<double> lambda(p, 0.0), difference(p);
    double c_pulled = c;
    const auto center = [&] {
      for (std::size_t w = 0; w < p; ++w) difference[w] = x[w] - lambda[w];
      return mean(difference);
    };
    run(
        [&](std::size_t w, std::uint64_t t) {
          if (w == 0 || !rounds) c_pulled = center();
          const double gradient = g(w, t, x[w]);
          lambda[w] -= x[w] - c_pulled;
          u[w] = (x[w] - a.learning_rate * gradient + k * (lambda[w] + c_pulled)) / (1 + k);
          x[w] = u[w];
        },
        [](std::size_t, std::uint64_t) {});
    return center();
  }

  /// Workers go to a center that all of a round have changed: local SGD, DiLoCo.
  double outer(double rate, double mu) {
    double velocity = 0;
    const auto meet = [&] {
      const double d = c - mean(x);
      velocity = mu * velocity + d;
      c -= rate * (d + mu * velocity);
    };
    for (std::uint64_t t = 0; t < steps; ++t) {
      if (exchanges(t)) {
        meet();
        std::ranges::fill(x, c);
      }
      for (std::size_t w = 0; w < p; ++w) nesterov(w, t);
    }
    meet();
    return c;
  }

  double lookahead() {
    double c_round = c;
    run(
        [&](std::size_t w, std::uint64_t t) {
          if (w == 0 || !rounds) c_round = c;
          if (exchanges(t)) c += *a.alpha * (x[w] - c_round);
        },
        [&](std::size_t w, std::uint64_t t) {
          if (exchanges(t)) x[w] = c;
          nesterov(w, t);
        });
    c_round = c;  // last letters
    for (std::size_t w = 0; w < p; ++w) c += *a.alpha * (x[w] - (rounds ? c_round : c));
    return c;
  }

  /// Groups of `fanout`, and groups of those, up to one root: node {level, index}.
  double tree(bool momentum) {
    const auto fanout = std::size_t(own_key(a, "fanout"));
    const auto tau_up = std::int64_t(own_key(a, "tau_up"));
    const auto tau_down = std::int64_t(own_key(a, "tau_down"));
    std::map<std::pair<int, std::size_t>, double> node;
    std::map<std::pair<int, std::size_t>, std::int64_t> letters;
    std::vector<std::size_t> width;
    for (std::size_t n = p; width.empty() || n > 1;) width.push_back(n = (n + fanout - 1) / fanout);
    for (int level = 0; level < int(width.size()); ++level) {
      for (std::size_t i = 0; i < width[std::size_t(level)]; ++i) node[{level, i}] = c;
    }
    const int root = int(width.size()) - 1;
    for (std::uint64_t t = 0; t < steps; ++t) {
      for (std::size_t w = 0; w < p; ++w) {
        double pull = 0;
        if (exchanges(t)) {
          pull = *a.alpha * (x[w] - node[{0, w / fanout}]);
          node[{0, w / fanout}] += pull;
          bool down[8] = {};
          std::size_t i = w / fanout;
          int level = 0;
          for (; level < root; ++level, i /= fanout) {
            const std::int64_t n = ++letters[{level, i}];
            down[level] = n % tau_down == 0;
            if (n % tau_up != 0) break;
            double& parent = node[{level + 1, i / fanout}];
            parent += *a.alpha * (node[{level, i}] - parent);
          }
          if (level == root) --level, i = 0;
          for (; level >= 0; --level) {
            std::size_t index = w / fanout;
            for (int k = 0; k < level; ++k) index /= fanout;
            double& child = node[{level, index}];
            if (down[level]) child += *a.alpha * (node[{level + 1, index / fanout}] - child);
          }
        }
        local(w, t, momentum);
        x[w] -= pull;
      }
    }
    return node[{root, 0}];
  }

  double result() {
    const std::string& name = a.name;
    if (name == "sgd") return single(false);
    if (name == "msgd") return single(true);
    if (name == "asgd") return averaged_sgd(true);
    if (name == "mvasgd") return averaged_sgd(false);
    if (name == "easgd") return elastic(false);
    if (name == "eamsgd") return elastic(true);
    if (name == "sma") return elastic(true, own_key(a, "center_momentum"));
    if (name == "easgd_gauss_seidel") return gauss_seidel(false);
    if (name == "eamsgd_gauss_seidel") return gauss_seidel(true);
    if (name == "easgd_tree") return tree(false);
    if (name == "eamsgd_tree") return tree(true);
    if (name == "downpour") return downpour(0);
    if (name == "adownpour") return downpour(1);
    if (name == "mvadownpour") return downpour(2);
    if (name == "mdownpour") return center_momentum(false);
    if (name == "allreduce") return center_momentum(true);
    if (name == "admm") return admm();
    if (name == "local_sgd") return outer(1, 0);
    if (name == "diloco")
      return outer(own_key(a, "center_learning_rate"), own_key(a, "center_momentum"));
    if (name == "lookahead") return lookahead();
    FAIL("no formula for algorithm " << name);
    return 0;
  }
};

Config config_of(const std::string& name, const std::string& exchange, std::int64_t tau,
                 std::int64_t steps) {
  Config config;
  const std::map<std::string, std::string> own = {
      {"sma", "center_momentum = 0.4"},
      {"diloco", "center_momentum = 0.4\ncenter_learning_rate = 0.8"},
      {"easgd_tree", "fanout = 2\ntau_up = 2\ntau_down = 3"},
      {"eamsgd_tree", "fanout = 2\ntau_up = 2\ntau_down = 3"}};
  choose(config.algorithm, name, own.contains(name) ? own.at(name) : "");
  config.algorithm.exchange = config::named<Exchange>(exchange);
  config.algorithm.tau = tau;
  config.algorithm.learning_rate = 0.05;
  config.algorithm.momentum = 0.7;
  config.algorithm.weight_decay = 0.01;
  config.algorithm.alpha = 0.2;
  config.stop.steps = steps;
  return config;
}

Toy toy_of(const Config& config, std::size_t workers) {
  Toy toy;
  toy.config = config;
  toy.workers = workers;
  const bool around = Registry<Algorithm>::get(config.algorithm.name).timing == Timing::around;
  toy.order = [=, synchronous = config.algorithm.exchange == Exchange::synchronous] {
    return synchronous ? synchronous_order() : around ? round_robin_pairs() : round_robin_order();
  };
  return toy;
}

/// The largest difference between a run and its simulation.
double error_of(const Config& config, std::size_t workers) {
  const Toy toy = toy_of(config, workers);
  const std::vector<float> center = toy.run();
  double largest = 0;
  for (std::size_t j = 0; j < center.size(); ++j) {
    Simulation simulation{config, workers, j, std::uint64_t(*config.stop.steps)};
    const double expected = simulation.result();  // grows where a method is not stable
    largest = std::max(largest, std::abs(center[j] - expected) / std::max(1.0, std::abs(expected)));
  }
  return largest;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    largest = std::max(largest, std::abs(double(a[j]) - double(b[j])));
  }
  return largest;
}

}  // namespace

TEST_CASE("every algorithm follows its formula in double precision") {
  constexpr std::int64_t kSteps = 120;
  for (const std::string& name : Registry<Algorithm>::names()) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    for (const char* exchange : {"asynchronous", "synchronous"}) {
      if (algorithm.exchange == Exchange::synchronous && exchange[0] == 'a') continue;
      if (algorithm.exchange == Exchange::asynchronous && exchange[0] == 's') continue;
      for (const std::int64_t tau : {1, 3, 10}) {
        if (algorithm.every_step && tau > 1) continue;
        const double tolerance = algorithm.sends_change ? 1e-5 : 1e-6;  // a sum of changes drifts
        for (const std::size_t workers : algorithm.single ? std::vector<std::size_t>{1}
                                                          : std::vector<std::size_t>{1, 2, 4, 7}) {
          CAPTURE(name);
          CAPTURE(exchange);
          CAPTURE(tau);
          CAPTURE(workers);
          CHECK(error_of(config_of(name, exchange, tau, kSteps), workers) < tolerance);
        }
      }
    }
  }
}

TEST_CASE("exchanges follow a schedule of tau: post-local SGD, and others") {
  for (const std::string name : {"local_sgd", "diloco", "sma", "easgd", "downpour", "lookahead"}) {
    CAPTURE(name);
    const bool synchronous = Registry<Algorithm>::get(name).exchange == Exchange::synchronous;
    Config config = config_of(name, synchronous ? "synchronous" : "asynchronous", 1, 120);
    const std::vector<float> without = toy_of(config, 4).run();
    config.algorithm.tau_schedule.kind = ScheduleKind::steps;
    config.algorithm.tau_schedule.at = {0.5};
    config.algorithm.tau_schedule.factor = 7;
    CHECK(error_of(config, 4) < 1e-5);
    if (name == "local_sgd")
      continue;  // on a quadratic the workers' mean is the same for every tau
    CHECK(distance(toy_of(config, 4).run(), without) > 1e-4);
  }
}

TEST_CASE(
    "local SGD: workers part between exchanges and meet at them, later at every seventh step") {
  // On a quadratic the center does not tell: the workers' mean is the same for every tau.
  for (const std::string name : {"local_sgd", "diloco"}) {
    CAPTURE(name);
    Config config = config_of(name, "synchronous", 1, 56);
    config.algorithm.momentum = 0;  // gradients are taken at x
    config.algorithm.tau_schedule.kind = ScheduleKind::steps;
    config.algorithm.tau_schedule.at = {0.5};
    config.algorithm.tau_schedule.factor = 7;
    Toy toy = toy_of(config, 3);
    std::array<std::array<double, 3>, 56> points{};
    toy.after_gradient = [&](std::uint32_t worker, std::uint64_t step, View g) {
      points[step][worker] =
          (double(g[0]) + quadratic::noise(worker, step, 0)) / quadratic::curvature(0);
    };
    toy.run();
    for (std::uint64_t step = 0; step < 56; ++step) {
      CAPTURE(step);
      const auto [low, high] = std::ranges::minmax(points[step]);
      const bool meet = step < 28 || step % 7 == 0;
      if (meet) CHECK(high - low < 1e-5);
      if (!meet) CHECK(high - low > 1e-3);
    }
  }
}

TEST_CASE("MDOWNPOUR with one worker is MSGD") {
  CHECK(distance(toy_of(config_of("mdownpour", "asynchronous", 1, 100), 1).run(),
                 toy_of(config_of("msgd", "asynchronous", 1, 100), 1).run()) < 1e-6);
}

TEST_CASE("DOWNPOUR with one worker and tau = 1 is SGD") {
  CHECK(distance(toy_of(config_of("downpour", "asynchronous", 1, 100), 1).run(),
                 toy_of(config_of("sgd", "asynchronous", 1, 100), 1).run()) < 1e-6);
}

TEST_CASE("all-reduce with p workers is MSGD with the mean of their gradients") {
  // Noise of half the workers is turned round: the mean gradient of a pair is without noise.
  Config config = config_of("allreduce", "synchronous", 1, 100);
  Toy pair = toy_of(config, 2);
  pair.after_gradient = [](std::uint32_t worker, std::uint64_t step, View g) {
    for (std::size_t j = 0; j < g.size(); ++j) {
      const float noise = float(quadratic::noise(worker, step, j));
      const float common = float(quadratic::noise(9, step, j));
      g[j] += noise + (worker == 0 ? common : -common);
    }
  };
  config.algorithm.name = "msgd";
  Toy one = toy_of(config, 1);
  one.noise_scale = 0;
  CHECK(distance(pair.run(), one.run()) < 1e-6);
}

TEST_CASE("Gauss-Seidel with alpha = 1 and one worker is SGD") {
  Config gauss_seidel = config_of("easgd_gauss_seidel", "synchronous", 1, 60);
  gauss_seidel.algorithm.alpha = 1;
  CHECK(distance(toy_of(gauss_seidel, 1).run(),
                 toy_of(config_of("sgd", "asynchronous", 1, 60), 1).run()) < 1e-6);
}

TEST_CASE("ADMM follows a learning-rate schedule with its rho fixed") {
  Config config = config_of("admm", "asynchronous", 1, 50);
  config.algorithm.schedule.kind = ScheduleKind::power;
  config.algorithm.schedule.gamma = 0.1;
  config.algorithm.schedule.power = 1;
  const double rho = *config.algorithm.alpha / config.algorithm.learning_rate;
  const std::vector<float> center = toy_of(config, 1).run();
  for (std::size_t j = 0; j < center.size(); ++j) {
    double x = quadratic::start(j), lambda = 0, c = x;
    for (std::uint64_t t = 0; t < 50; ++t) {
      const double eta = config.algorithm.learning_rate / (1 + 0.1 * double(t));
      const double g =
          (quadratic::curvature(j) + config.algorithm.weight_decay) * x - quadratic::noise(0, t, j);
      lambda -= x - c;
      x = (x - eta * g + eta * rho * (lambda + c)) / (1 + eta * rho);
      c = x - lambda;
    }
    CHECK(std::abs(center[j] - c) < 1e-5);
  }
}

TEST_CASE("a running mean of a constant stays it, however long") {
  float z = 3, x = 3;
  for (const float steps : {1e6f, 1e7f, 1e8f}) {
    const kernels::Average average{&z, &x, 1 / steps};
    for (int i = 0; i < 1000; ++i) average(0);
    CHECK(z == 3);
  }
}

TEST_CASE("at the end the master knows every step, whenever its letters were sent") {
  for (const char* name : {"mdownpour", "admm", "easgd_gauss_seidel", "downpour", "sgd"}) {
    CAPTURE(name);
    Config config = config_of(name, "asynchronous", 1, 20);
    if (Registry<Algorithm>::get(name).coupling == Coupling::none) config.algorithm.alpha.reset();
    Toy toy = toy_of(config, 1);
    std::uint64_t steps = 0;
    toy.on_version = [&](const CenterView& view) { steps = view.steps[0]; };
    toy.run();
    CHECK(steps == 20);
  }
}

TEST_CASE("DiLoCo without outer momentum and with rate 1 is local SGD") {
  Config diloco = config_of("diloco", "synchronous", 4, 100);
  choose(diloco.algorithm, "diloco", "center_momentum = 0\ncenter_learning_rate = 1");
  CHECK(distance(toy_of(diloco, 3).run(),
                 toy_of(config_of("local_sgd", "synchronous", 4, 100), 3).run()) < 1e-6);
}

TEST_CASE("SMA without momentum on the center is synchronous EAMSGD") {
  Config sma = config_of("sma", "synchronous", 2, 100);
  choose(sma.algorithm, "sma", "center_momentum = 0");
  CHECK(distance(toy_of(sma, 4).run(),
                 toy_of(config_of("eamsgd", "synchronous", 2, 100), 4).run()) < 1e-6);
}

TEST_CASE("a tree of one group is a star") {
  Config tree = config_of("eamsgd_tree", "asynchronous", 2, 100);
  choose(tree.algorithm, "eamsgd_tree", "fanout = 4\ntau_up = 2\ntau_down = 3");
  CHECK(distance(toy_of(tree, 4).run(),
                 toy_of(config_of("eamsgd", "asynchronous", 2, 100), 4).run()) == 0);
}
