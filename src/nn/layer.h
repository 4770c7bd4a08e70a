// What a layer is everywhere: its options, its shape rule, its parameters, its cost.
//
// How it computes is the business of a backend: `backend/cpu/conv2d.cpp` is the CPU's side of
// `nn/conv2d.cpp`, and so on for every layer and device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/registry.h"
#include "base/shape.h"
#include "config/fields.h"

namespace easgd {

/// How a parameter starts, before any file is loaded into it.
struct Initial {
  /// Uniform in [-bound, bound].
  double bound = 0;
  /// Added to every element.
  double offset = 0;
};

/// One tensor of a layer, with PyTorch's name and dimensions.
struct Parameter {
  std::string name;  ///< "weight", "running_mean"
  std::vector<std::int64_t> dims;
  Initial initial;
  std::size_t count() const;
};

/// The name of the images as a layer's input.
inline constexpr const char* kImagesName = "images";

class Layer {
 public:
  virtual ~Layer() = default;

  /// The name in TOML: type = "conv".
  virtual std::string kind() const = 0;
  /// Options beside `type` and `name`.
  virtual void fields(config::Fields&) {}
  /// Throws: ConfigError if an input of this shape does not fit, saying why.
  virtual Shape output(Shape input) const = 0;
  virtual std::vector<Parameter> parameters(Shape /*input*/) const { return {}; }
  /// What training moves without a gradient.
  virtual std::vector<Parameter> statistics(Shape /*input*/) const { return {}; }
  /// Floating-point operations of one forward pass of one sample (a multiply-add is two).
  virtual double forward_flops(Shape /*input*/) const { return 0; }

  /// The layers that a composite one stands for, in order; `from` is the name of what feeds it.
  /// Empty: the layer is what it is.
  virtual std::vector<std::shared_ptr<Layer>> parts(Shape /*input*/,
                                                    const std::string& /*from*/) const {
    return {};
  }
  /// Name of a second layer whose output this one takes, of the first one's shape; empty: none.
  virtual std::string second() const { return {}; }

  /// Names the layer's tensors: "<name>.weight". Given by the user, or kind and number.
  std::string name;
  /// Name of the layer whose output this one takes, kImagesName for the images; empty: the one
  /// before.
  std::string from;
  /// "file:line" of the table that describes it; empty if there is none.
  std::string origin;
};

/// Makes a layer of one kind with its default options.
using LayerEntry = std::function<std::unique_ptr<Layer>()>;

template <class L>
Registered<LayerEntry> register_layer() {
  return Registered<LayerEntry>(L().kind(), [] { return std::make_unique<L>(); });
}

}  // namespace easgd
