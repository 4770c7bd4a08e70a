// A layer, or a layer with the activation fused into it, compiled for the CPU.
//
// A model is a chain of these. Forward layouts are settled from the first layer to the last: each
// takes its input in whatever layout it comes and says in which it leaves its output. Then the
// gradients' layouts are settled from the last layer to the first. A layer that needs another
// layout converts.
#pragma once

#include <functional>
#include <memory>

#include "backend/cpu/workbench.h"

namespace easgd::cpu {

/// One stage of the network and what was fused to it: see fusion.h.
struct Link {
  const Stage* stage = nullptr;
  const Stage* pool = nullptr;  ///< the layer pools its output as this stage does
  bool relu = false;            ///< the layer applies max(x, 0) to its output
};

/// The values between two layers, [N][C][H][W] to the eye, in the layout of the memory's
/// descriptor.
struct Activation {
  memory values;
  /// The next layer may overwrite the values in place, so long as their signs stay where a gradient
  /// passes: the backward pass of a fused ReLU looks at the sign of its output.
  bool disposable = false;
};

/// One pass over the network.
struct Pass {
  ConstView x;
  View g;  ///< empty in evaluation
  const Batch& batch;
  bool training;  ///< dropout is on
  Tally& tally;
};

class CpuLayer {
 public:
  virtual ~CpuLayer() = default;

  /// Called once. Returns the output.
  virtual Activation compile_forward(Workbench& bench, const Activation& input) = 0;
  /// Called once after all compile_forward, in training only. Takes the place of the gradient with
  /// regard to the output, which this layer may overwrite (empty after the last layer); returns
  /// that of the gradient with regard to the input, or nothing if it is not wanted.
  virtual memory compile_backward(Workbench& bench, const memory& output_gradient,
                                  bool input_gradient_wanted) = 0;

  virtual void forward(const Pass& pass) = 0;
  virtual void backward(const Pass& pass) = 0;
};

/// The CPU's side of one kind of layer. Registered under Layer::kind.
struct CpuLayerEntry {
  std::function<std::unique_ptr<CpuLayer>(const Workbench& bench, const Link& link)> make;
  bool absorbs_relu = false;  ///< it heeds Link::relu
};

}  // namespace easgd::cpu
