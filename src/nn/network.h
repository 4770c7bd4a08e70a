// A network is a list of layers, each fed by earlier ones, with their shapes inferred.
//
// Its state is one flat float32 vector [P + S]: the parameters [P], layer by layer, which gradients
// move, and after them the running statistics [S] of its batch normalisations, which they do not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/view.h"
#include "nn/layer.h"

namespace easgd {

/// Where a tensor lies in the state.
struct Slice {
  std::string name;  ///< "conv1.weight"
  std::vector<std::int64_t> dims;
  Initial initial;
  std::size_t offset = 0;
  std::size_t count = 0;

  View of(View flat) const { return flat.subspan(offset, count); }
  ConstView of(ConstView flat) const { return flat.subspan(offset, count); }
};

/// A layer as a part of a network.
struct Stage {
  /// The number of the images as an input.
  static constexpr std::size_t kImages = std::size_t(-1);

  std::shared_ptr<const Layer> layer;
  std::vector<std::size_t> inputs;  ///< numbers of one or two earlier stages, or kImages
  Shape input = {};                 ///< of every input
  Shape output = {};
  std::vector<Slice> slices = {};      ///< in the order of Layer::parameters
  std::vector<Slice> statistics = {};  ///< in the order of Layer::statistics
};

class Network {
 public:
  /// Puts composite layers' parts in the list instead of them, and infers shapes from the first
  /// layer to the last.
  /// Throws: ConfigError naming the layer whose input does not fit it or is no earlier layer, a
  /// name used twice, an output that nothing takes, or a last layer that is no loss over `classes`
  /// classes.
  Network(Shape input, int classes, std::vector<std::shared_ptr<Layer>> layers);

  Shape input() const { return input_; }
  int classes() const { return classes_; }
  const std::vector<Stage>& stages() const { return stages_; }
  /// The parameters' slices, in the order of the state.
  std::vector<Slice> slices() const;
  /// Those of the running statistics, which follow.
  std::vector<Slice> statistics() const;
  std::size_t parameter_count() const { return parameter_count_; }  ///< P
  std::size_t statistic_count() const { return statistic_count_; }  ///< S
  std::size_t state_count() const { return parameter_count_ + statistic_count_; }
  double forward_flops() const;

 private:
  void add(const std::shared_ptr<Layer>& layer);
  void add_stage(Stage stage);
  std::string name_of(std::size_t stage) const;
  std::size_t number_of(const std::string& name) const;
  Shape shape_of(std::size_t stage) const;
  void check_end() const;

  Shape input_;
  int classes_;
  std::vector<Stage> stages_;
  std::map<std::string, std::size_t> numbers_;  // of the stages, by name; of a composite: its last
  std::size_t parameter_count_ = 0;
  std::size_t statistic_count_ = 0;
};

/// Fills the state [P + S] with the initial weights of `seed`: the same on every device.
void initialise(const Network& network, std::uint64_t seed, View state);

}  // namespace easgd
