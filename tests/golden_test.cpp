// Do we compute what the field computes? PyTorch's gradients and 200 losses of its Nesterov SGD,
// from the same weights and batches. What is in the files and how it was made:
// tests/golden/problem.py, make_golden.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "algorithms/algorithm.h"
#include "backend/backend_kind.h"
#include "kernels/philox.h"
#include "network_spec.h"
#include "relative.h"

using namespace easgd;
using nlohmann::json;
using testing::relative_difference;

namespace {

using kernels::Random;
using kernels::Stream;

constexpr int kGrid = 8, kSide = 28;

json golden(const std::string& name) {
  std::ifstream file(EASGD_SOURCE_ROOT "/tests/golden/" + name + ".json");
  return json::parse(file);
}

/// The batches of problem.py.
class Batches {
 public:
  Batches(std::uint64_t seed, int channels, std::size_t batch, std::size_t count)
      : seed_(seed), channels_(channels), batch_(batch) {
    for (std::size_t n = 0; n < batch * count; ++n) {
      const std::uint32_t label = random(3).at(n, 0).below(0, 10);
      labels_.push_back(std::int32_t(label));
      add_image(label, n);
    }
  }

  Batch at(std::size_t number) const {
    const std::size_t image = std::size_t(channels_) * kSide * kSide;
    Batch result;
    result.images = ConstView(images_).subspan(number * batch_ * image, batch_ * image);
    result.labels = std::span(labels_).subspan(number * batch_, batch_);
    return result;
  }

 private:
  Random random(std::uint32_t worker) const { return {seed_, Stream::synthetic_data, worker}; }

  double grid(std::uint32_t label, std::size_t n, int index) const {
    const auto i = std::uint32_t(index);
    return (2.0 * double(random(1).at(label, i).uniform(0)) - 1) +
           (2.0 * double(random(2).at(n, i).uniform(0)) - 1) / 8;
  }

  void add_image(std::uint32_t label, std::size_t n) {
    std::vector<double> g;
    for (int i = 0; i < channels_ * kGrid * kGrid; ++i) g.push_back(grid(label, n, i));
    for (int c = 0; c < channels_; ++c) {
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const double* at = g.data() + (c * kGrid + y / 4) * kGrid + x / 4;
          const int f = y % 4, h = x % 4;
          images_.push_back(float(((4 - f) * ((4 - h) * at[0] + h * at[1]) +
                                   f * ((4 - h) * at[kGrid] + h * at[kGrid + 1])) /
                                  16));
        }
      }
    }
  }

  std::uint64_t seed_;
  int channels_;
  std::size_t batch_;
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
};

struct Problem {
  const char* name;
  Shape shape;
  const char* layers;
  double gradient_tolerance = 1e-5;    ///< relative, of a tensor
  double statistics_tolerance = 1e-4;  ///< the same, after 200 steps
};

const Problem kProblems[] = {
    {"cifar7",
     {3, kSide, kSide},
     "conv channels=64 kernel=5 init=he; relu; maxpool; conv channels=128 kernel=5 init=he; relu; "
     "maxpool; "
     "conv channels=64 kernel=3 init=he; relu; linear outputs=256 init=he; relu; linear outputs=10 "
     "init=he"},
    {"lenet",
     {1, kSide, kSide},
     "conv channels=20 kernel=5 init=he; maxpool; conv channels=50 kernel=5 init=he; maxpool; "
     "linear outputs=500 init=he; relu; linear outputs=10 init=he"},
    {"residual",
     {3, kSide, kSide},
     "conv channels=16 kernel=3 pad=1 use_bias=0 init=he; batchnorm; relu; maxpool; "
     "residual channels=16; residual channels=32 stride=2; avgpool kernel=7; "
     "linear outputs=10 init=he",
     2e-5},  // in a bias before a sum, thousands of floats nearly cancel: 1.01e-5 here
    {"modern",
     {3, kSide, kSide},
     "conv channels=16 kernel=3 stride=2 pad=1 use_bias=0 init=he; batchnorm; silu; "
     "maxpool kernel=3 stride=2 pad=1; conv channels=16 kernel=5 pad=2 groups=16 init=he; gelu; "
     "conv channels=32 kernel=1x3 pad=0x1 init=he; conv channels=32 kernel=3 pad=1 groups=4 "
     "init=he; relu; bottleneck channels=64 stride=2; global_avgpool; "
     "linear outputs=10 use_bias=0 init=he; softmax_cross_entropy label_smoothing=0.1",
     2e-5,
     4e-4},  // oneDNN's GELU has an error of 4e-7, which 200 steps multiply
};

/// A problem with its model on the CPU, at the initial weights.
struct Setting {
  explicit Setting(const Problem& problem)
      : expected(golden(problem.name)),
        batches(expected["seed"], problem.shape.channels, expected["batch"], expected["batches"]),
        network(testing::make_network(problem.shape, 10, problem.layers)),
        backend(make_backend("cpu")),
        model(backend->compile(network, {.batch = expected["batch"]})),
        state(host_buffer(network.state_count())),
        x(state.view().first(network.parameter_count())),
        statistics(state.view().subspan(x.size())),
        g(host_buffer(x.size())) {
    initialise(network, expected["seed"], state);
  }

  json expected;
  Batches batches;
  Network network;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  Buffer state;
  View x, statistics;
  Buffer g;
};

/// Running statistics after the 200 steps, batch normalisation by batch normalisation.
void check_statistics(const Setting& s, double tolerance) {
  std::size_t found = 0;
  for (const Stage& stage : s.network.stages()) {
    if (stage.statistics.empty()) continue;
    const auto& names = s.expected["normalisations"];
    const json& expected = s.expected["statistics"][names[found++].get<std::string>()];
    for (std::size_t k = 0; k < 2; ++k) {
      const ConstView ours = stage.statistics[k].of(ConstView(s.state));
      const auto theirs = expected[k].get<std::vector<double>>();
      double difference = 0, norm = 0;
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        difference += std::pow(double(ours[i]) - theirs[i], 2);
        norm += theirs[i] * theirs[i];
      }
      CHECK(std::sqrt(difference / norm) < tolerance);
    }
  }
  CHECK(found == s.expected.value("normalisations", json::array()).size());
}

}  // namespace

TEST_CASE("single-step gradients are PyTorch's within 1e-5 (with blocks: 2e-5)") {
  [[maybe_unused]] constexpr double kOfOnePixel = 5e-5;
  for (const Problem& problem : kProblems) {
    Setting s(problem);
    s.model->gradient(s.x, s.batches.at(0), s.g, s.statistics);
    const std::vector<Slice> slices = s.network.slices();
    REQUIRE(slices.size() == s.expected["tensors"].size());
    for (std::size_t t = 0; t < slices.size(); ++t) {
      const json& tensor = s.expected["tensors"][t];
      CAPTURE(problem.name);
      CAPTURE(tensor["name"].get<std::string>());
      const ConstView ours = slices[t].of(ConstView(s.g));
      const auto theirs = tensor["gradient"].get<std::vector<double>>();
      const Random random{s.expected["seed"], Stream::synthetic_data, 4};
      std::vector<double> differences(
          tensor["dims"][0].get<std::size_t>());  // by channels of outputs
      double norm = 0, whole = 0;
      for (std::size_t j = 0; j < theirs.size(); ++j) {
        const std::size_t i =
            theirs.size() == ours.size()
                ? j
                : random.at(t, std::uint32_t(j)).below(0, std::uint32_t(ours.size()));
        differences[i / (ours.size() / differences.size())] +=
            std::pow(double(ours[i]) - theirs[j], 2);
        norm += theirs[j] * theirs[j];
      }
#ifndef EASGD_OPTIMISED
      // Compiled otherwise, products and sums are rounded otherwise: where two values of a pooling
      // window are equal but for that, the other may be its maximum. It shows in one channel.
      const auto worst = std::ranges::max_element(differences);
      CHECK(std::sqrt(*worst / norm) < kOfOnePixel);
      *worst = 0;
#endif
      const double difference = std::accumulate(differences.begin(), differences.end(), 0.0);
      for (const float value : ours) whole += double(value) * double(value);
      CHECK(std::sqrt(difference / norm) < problem.gradient_tolerance);
      CHECK(relative_difference(std::sqrt(whole), tensor["norm"]) < problem.gradient_tolerance);
    }
  }
}

TEST_CASE(
    "200 steps of msgd follow PyTorch's Nesterov losses within 1e-3, and running statistics") {
  for (const Problem& problem : kProblems) {
    Setting s(problem);
    const auto rule = Registry<Algorithm>::get("msgd").worker(*s.backend, {}, s.x);
    const Rates rates{s.expected["learning_rate"], s.expected["momentum"],
                      s.expected["weight_decay"]};
    const auto losses = s.expected["losses"].get<std::vector<double>>();
    REQUIRE(losses.size() == 200);
    for (std::size_t step = 0; step < losses.size(); ++step) {
      CAPTURE(problem.name);
      CAPTURE(step);
      s.model->gradient(rule->gradient_point(), s.batches.at(step % 20), s.g, s.statistics);
      rule->step(s.g, {}, rates);
      CHECK(relative_difference(s.model->take_tally().mean_loss(), losses[step]) < 1e-3);
    }
    check_statistics(s, problem.statistics_tolerance);
  }
}
