#include "nn/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "kernels/philox.h"
#include "nn/softmax_cross_entropy.h"

namespace easgd {

std::size_t Parameter::count() const {
  return std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>());
}

namespace {

bool is_loss(const Layer& layer) {
  return layer.kind() == SoftmaxCrossEntropy().kind();
}

/// "net.toml:12: layer 3 "conv3" (conv)", for messages.
std::string location_of(const Layer& layer, std::size_t number) {
  return fmt::format("{}: layer {} \"{}\" ({})", layer.origin.empty() ? "network" : layer.origin,
                     number, layer.name, layer.kind());
}

}  // namespace

Network::Network(Shape input, int classes, std::vector<std::shared_ptr<Layer>> layers)
    : input_(input), classes_(classes) {
  if (layers.empty()) throw ConfigError("network: has no layers");
  for (const auto& layer : layers) add(layer);
  check_end();
  for (Stage& stage : stages_) {
    for (Slice& slice : stage.statistics) slice.offset += parameter_count_;
  }
}

void Network::add(const std::shared_ptr<Layer>& layer) {
  const std::string where = location_of(*layer, stages_.size() + 1);
  if (layer->name == kImagesName) throw ConfigError(where + ": the name stands for the input");
  if (numbers_.contains(layer->name)) throw ConfigError(where + ": the name is used twice");
  if (!stages_.empty() && is_loss(*stages_.back().layer)) {
    throw ConfigError(where + ": nothing may follow softmax_cross_entropy");
  }
  std::vector<std::shared_ptr<Layer>> parts;
  try {
    const std::size_t before = stages_.empty() ? Stage::kImages : stages_.size() - 1;
    Stage stage{.layer = layer, .inputs = {layer->from.empty() ? before : number_of(layer->from)}};
    stage.input = shape_of(stage.inputs[0]);
    parts = layer->parts(stage.input, name_of(stage.inputs[0]));
    if (parts.empty()) add_stage(std::move(stage));
  } catch (const ConfigError& e) {
    throw ConfigError(fmt::format("{}: {}", where, e.what()));
  }
  for (const auto& part : parts) add(part);
  numbers_[layer->name] = stages_.size() - 1;
}

void Network::add_stage(Stage stage) {
  const Layer& layer = *stage.layer;
  if (const std::string second = layer.second(); !second.empty()) {
    stage.inputs.push_back(number_of(second));
    if (const Shape other = shape_of(stage.inputs[1]); other != stage.input) {
      throw ConfigError(fmt::format("its inputs have different shapes, {} and {}",
                                    to_string(stage.input), to_string(other)));
    }
  }
  stage.output = layer.output(stage.input);
  const auto lay_out = [&layer](const std::vector<Parameter>& tensors, std::size_t& end) {
    std::vector<Slice> slices;
    for (const Parameter& p : tensors) {
      slices.push_back({layer.name + "." + p.name, p.dims, p.initial, end, p.count()});
      end += p.count();
    }
    return slices;
  };
  stage.slices = lay_out(layer.parameters(stage.input), parameter_count_);
  stage.statistics = lay_out(layer.statistics(stage.input), statistic_count_);
  stages_.push_back(std::move(stage));
}

std::size_t Network::number_of(const std::string& name) const {
  if (name == kImagesName) return Stage::kImages;
  if (const auto it = numbers_.find(name); it != numbers_.end()) return it->second;
  throw ConfigError(
      fmt::format("takes the output of \"{}\", but no layer before it has that name", name));
}

std::string Network::name_of(std::size_t stage) const {
  return stage == Stage::kImages ? kImagesName : stages_[stage].layer->name;
}

Shape Network::shape_of(std::size_t stage) const {
  return stage == Stage::kImages ? input_ : stages_[stage].output;
}

void Network::check_end() const {
  std::vector<bool> taken(stages_.size());
  for (const Stage& stage : stages_) {
    for (const std::size_t input : stage.inputs) {
      if (input != Stage::kImages) taken[input] = true;
    }
  }
  const auto lost = std::size_t(std::ranges::find(taken, false) - taken.begin());
  if (lost + 1 < stages_.size()) {
    throw ConfigError(location_of(*stages_[lost].layer, lost + 1) + ": no layer takes its output");
  }
  const Stage& loss = stages_.back();
  const std::string last = location_of(*loss.layer, stages_.size());
  if (!is_loss(*loss.layer)) {
    throw ConfigError(last + ": the last layer must be softmax_cross_entropy");
  }
  if (loss.output != Shape{classes_, 1, 1}) {
    throw ConfigError(
        fmt::format("{}: it sees {} values, but the data set has {} classes; a linear layer before "
                    "it with outputs = {} makes as many",
                    last, to_string(loss.input), classes_, classes_));
  }
}

std::vector<Slice> Network::slices() const {
  std::vector<Slice> all;
  for (const Stage& stage : stages_) {
    all.insert(all.end(), stage.slices.begin(), stage.slices.end());
  }
  return all;
}

std::vector<Slice> Network::statistics() const {
  std::vector<Slice> all;
  for (const Stage& stage : stages_) {
    all.insert(all.end(), stage.statistics.begin(), stage.statistics.end());
  }
  return all;
}

double Network::forward_flops() const {
  double sum = 0;
  for (const Stage& stage : stages_) sum += stage.layer->forward_flops(stage.input);
  return sum;
}

void initialise(const Network& network, std::uint64_t seed, View state) {
  const kernels::Random random{seed, kernels::Stream::initial_weights};
  std::uint64_t tensor = 0;
  for (const Slice& slice : network.slices()) {
    const View values = slice.of(state);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double u = random.at(tensor, std::uint32_t(i)).uniform(0);
      values[i] = float(slice.initial.offset + slice.initial.bound * (2 * u - 1));
    }
    ++tensor;
  }
  for (const Slice& slice : network.statistics()) {
    std::ranges::fill(slice.of(state), float(slice.initial.offset));
  }
}

}  // namespace easgd
