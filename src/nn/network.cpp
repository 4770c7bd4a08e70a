#include "nn/network.h"

#include <fmt/format.h>

#include <numeric>
#include <set>

#include "base/error.h"
#include "kernels/philox.h"

namespace easgd {

std::size_t Parameter::count() const {
  return std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>());
}

namespace {

/// "net.toml:12: layer 3 "conv3" (conv)", for messages.
std::string place_of(const Layer& layer, std::size_t number) {
  return fmt::format("{}: layer {} \"{}\" ({})", layer.origin.empty() ? "network" : layer.origin,
                     number, layer.name, layer.kind());
}

}  // namespace

Network::Network(Shape input, int classes, std::vector<std::shared_ptr<Layer>> layers)
    : input_(input), classes_(classes) {
  if (layers.empty()) throw ConfigError("network: has no layers");
  std::set<std::string> names;
  Shape shape = input;
  for (const auto& layer : layers) {
    const std::string where = place_of(*layer, stages_.size() + 1);
    if (!names.insert(layer->name).second) throw ConfigError(where + ": the name is used twice");
    if (!stages_.empty() && stages_.back().layer->kind() == "softmax_cross_entropy") {
      throw ConfigError(where + ": nothing may follow softmax_cross_entropy");
    }
    Stage stage{layer, shape, {}, {}};
    try {
      stage.output = shape = layer->output(shape);
    } catch (const ConfigError& e) {
      throw ConfigError(fmt::format("{}: {}", where, e.what()));
    }
    for (const Parameter& p : layer->parameters(stage.input)) {
      stage.slices.push_back(
          {layer->name + "." + p.name, p.dims, p.initial, parameter_count_, p.count()});
      parameter_count_ += p.count();
    }
    stages_.push_back(std::move(stage));
  }
  const std::string last = place_of(*stages_.back().layer, stages_.size());
  if (stages_.back().layer->kind() != "softmax_cross_entropy") {
    throw ConfigError(last + ": the last layer must be softmax_cross_entropy");
  }
  if (shape != Shape{classes, 1, 1}) {
    throw ConfigError(fmt::format("{}: it sees {}x{}x{} values, but the data set has {} classes",
                                  last, shape.channels, shape.height, shape.width, classes));
  }
}

std::vector<Slice> Network::slices() const {
  std::vector<Slice> all;
  for (const Stage& stage : stages_) {
    all.insert(all.end(), stage.slices.begin(), stage.slices.end());
  }
  return all;
}

double Network::forward_flops() const {
  double sum = 0;
  for (const Stage& stage : stages_) sum += stage.layer->forward_flops(stage.input);
  return sum;
}

void initialise(const Network& network, std::uint64_t seed, View x) {
  const kernels::Random random{seed, kernels::Stream::initial_weights};
  std::uint64_t tensor = 0;
  for (const Slice& slice : network.slices()) {
    const View values = slice.of(x);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double u = random.at(tensor, std::uint32_t(i)).uniform(0);
      values[i] = float(slice.initial.offset + slice.initial.bound * (2 * u - 1));
    }
    ++tensor;
  }
}

}  // namespace easgd
