// A network is a list of layers with their shapes inferred and their parameters laid out, one after
// another, in one flat float32 vector.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/view.h"
#include "nn/layer.h"

namespace easgd {

/// A parameter's place in the flat vector.
struct Slice {
  std::string name;  ///< "conv1.weight"
  std::vector<std::int64_t> dims;
  Initial initial;
  std::size_t offset = 0;
  std::size_t count = 0;

  View of(View flat) const { return flat.subspan(offset, count); }
  ConstView of(ConstView flat) const { return flat.subspan(offset, count); }
};

/// A layer at its place in a network.
struct Stage {
  std::shared_ptr<const Layer> layer;
  Shape input;
  Shape output;
  std::vector<Slice> slices;  ///< in the order of Layer::parameters
};

class Network {
 public:
  /// Infers shapes from the first layer to the last.
  /// Throws: ConfigError naming the layer whose input does not fit it, a name used twice, or a last
  /// layer that is no loss over `classes` classes.
  Network(Shape input, int classes, std::vector<std::shared_ptr<Layer>> layers);

  Shape input() const { return input_; }
  int classes() const { return classes_; }
  const std::vector<Stage>& stages() const { return stages_; }
  /// Every slice, in the order of the flat vector.
  std::vector<Slice> slices() const;
  /// Length of the flat vector.
  std::size_t parameter_count() const { return parameter_count_; }
  double forward_flops() const;

 private:
  Shape input_;
  int classes_;
  std::vector<Stage> stages_;
  std::size_t parameter_count_ = 0;
};

/// Fills the flat vector x [P] with the initial weights of `seed`: the same on every device.
void initialise(const Network& network, std::uint64_t seed, View x);

}  // namespace easgd
