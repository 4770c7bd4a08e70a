// A network compiled for one piece of a batch, which one thread at a time computes.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/workbench.h"

namespace easgd::cpu {

/// Thread: any, one at a time.
class Piece {
 public:
  /// `options.batch` is the piece's.
  /// Throws: ConfigError for a layer the CPU does not have; dnnl::error.
  Piece(const Network& network, const ModelOptions& options, const Cut& cut);

  std::size_t samples() const { return bench_.options().batch; }
  std::size_t bytes() const { return bench_.bytes(); }
  std::size_t layers() const { return layers_.size(); }
  CpuLayer& layer(std::size_t i) const { return *layers_[i]; }

  /// Of pass.batch, which may be smaller than the piece where no backward pass follows.
  void bind(const CpuPass& pass);
  /// Of the layers [begin, end).
  void forward(CpuPass& pass, std::size_t begin, std::size_t end);
  /// Of the same, from the last to the first.
  void backward(CpuPass& pass, std::size_t begin, std::size_t end);

 private:
  /// target += addend, after the backward pass of a layer.
  struct Sum {
    std::size_t layer;
    Converted target, addend;
  };
  using Activations = std::map<std::size_t, Activation>;  // by the number of a stage

  void compile_forward(const std::vector<Link>& links);
  void compile_backward(const std::vector<Link>& links);
  static bool offer_sum(const Link& link, const Activations& gradients,
                        const Activation& output_gradient, CpuLayer& layer);
  void give_back_unused(const std::vector<Activation>& used, const Activations& left);
  void collect(Activation& sum, const Activation& gradient, std::size_t layer);

  Workbench bench_;
  std::vector<std::unique_ptr<CpuLayer>> layers_;
  std::vector<PassNames> names_;  ///< of the layers
  std::vector<Sum> sums_;         ///< from the last layer to the first
  dnnl::memory images_;
  View short_batch_;  ///< images of an incomplete piece, followed by zeros
};

}  // namespace easgd::cpu
