// A layer, or a layer with the activation fused into it, compiled for one piece of a batch.
//
// A piece is a list of these, each fed by earlier ones. Forward layouts are settled from the first
// layer to the last: each takes its input in whatever layout it comes and says in which it leaves
// its output. Then the gradients' layouts are settled from the last layer to the first. A layer
// that needs another layout converts.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/workbench.h"
#include "backend/pass_arguments.h"
#include "backend/tally.h"
#include "kernels/winograd_conv2d.h"
#include "nn/lowering.h"

namespace easgd::cpu {

/// The values between two layers, or their gradient, [N][C][H][W] to the eye, in the layout of the
/// memory's descriptor.
struct Activation {
  memory values;
  /// Who takes it may overwrite it in place. Values keep their signs then if a gradient passes:
  /// the backward pass of a fused ReLU looks at the sign of its output.
  bool disposable = false;
  /// And that with whatever values: whoever has made it does not look at it again.
  bool forgotten = false;
  /// A gradient that its taker has to make of the values: see CpuLayer::unnormalises().
  const kernels::NormalisationBehind* behind = nullptr;
};

/// One pass over the network, of one piece.
struct CpuPass : PassArguments {
  Batch batch = {};         ///< the piece's share
  std::size_t first = 0;    ///< of the whole batch's samples, the piece's first
  std::size_t samples = 0;  ///< of the whole batch
  Tally tally = {};
  View scores = {};  ///< [N][K] of the piece's samples, if somebody wants them
};

/// What profilers show of a layer.
struct PassNames {
  explicit PassNames(const std::string& layer)
      : forward(layer + " forward"), backward(layer + " backward") {}
  std::string forward, backward;
};

/// Thread: any, one at a time.
class CpuLayer {
 public:
  virtual ~CpuLayer() = default;

  /// Called once, with one input or, for a layer of two, both. Returns the output.
  virtual Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) = 0;
  /// Called before compile_backward() if the input has other takers, with the sum of their
  /// gradients, which nobody else will look at. A layer that can adds its own there, returns true,
  /// and compile_backward() returns that memory.
  virtual bool add_to(const memory& /*others*/) { return false; }
  /// If the output goes through a batch normalisation and nowhere else, backward() takes the
  /// gradient behind that, and finishes the normalisation's backward pass as it reads.
  virtual bool unnormalises() const { return false; }
  /// Called before compile_backward() if whoever makes the input does so.
  virtual void leave_unnormalised() {}
  /// Called once after all compile_forward, in training only. Takes the memory of the gradient with
  /// regard to the output (empty after the last layer); returns the memory of the gradient with
  /// regard to the input, the same for each of two, or nothing if it is not wanted.
  virtual Activation compile_backward(Workbench& bench, const Activation& output_gradient,
                                      bool input_gradient_wanted) = 0;

  virtual void forward(CpuPass& pass) = 0;
  /// Leaves the piece's share of the layer's gradient in pass.g.
  virtual void backward(CpuPass& pass) = 0;
};

/// A layer for which the pieces of a batch meet, because samples depend on each other. Before each
/// of its passes every piece surveys its own samples, and then the first piece's layer makes one of
/// what all have found, `pieces`: its own pass over the pieces comes after that.
class MeetingLayer : public CpuLayer {
 public:
  explicit MeetingLayer(const Stage& stage) : names_(stage.layer->name) {}
  const PassNames& names() const { return names_; }

  virtual bool meets(const CpuPass& pass) const = 0;
  virtual void survey_forward(CpuPass& pass) = 0;
  virtual void meet_forward(std::span<MeetingLayer* const> pieces, CpuPass& pass) = 0;
  virtual void survey_backward(CpuPass& pass) = 0;
  virtual void meet_backward(std::span<MeetingLayer* const> pieces, CpuPass& pass) = 0;

 private:
  const PassNames names_;
};

/// The CPU's side of one kind of layer. Registered under Layer::kind.
struct CpuLayerEntry {
  std::function<std::unique_ptr<CpuLayer>(const Workbench& bench, const Link& link)> make;
  bool absorbs_relu = false;  ///< it heeds Link::relu
};

}  // namespace easgd::cpu
