// A network compiled for the CPU: layers in their order, on one thread's team.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/workbench.h"
#include "backend/model.h"

namespace easgd::cpu {

class CpuModel final : public Model {
 public:
  /// Throws: ConfigError for a precision or a layer the CPU does not have, DeviceError.
  CpuModel(const Network& network, const ModelOptions& options);

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override;
  void evaluate(ConstView state, const Batch& batch) override;
  void observe(ConstView x, const Batch& batch, float weight, View statistics) override;
  Tally take_tally() override;
  void give_back(const Tally& tally) override { tally_ += tally; }
  std::size_t memory() const override { return bench_.bytes(); }

 private:
  /// target += addend, after the backward pass of a layer.
  struct Sum {
    std::size_t layer;
    Converted target, addend;
  };
  using Activations = std::map<std::size_t, Activation>;  // by the number of a stage

  void compile_forward(const std::vector<Link>& links);
  void compile_backward(const std::vector<Link>& links);
  void collect(Activation& sum, const Activation& gradient, std::size_t layer);
  void forward(const CpuPass& pass);
  void bind_images(const Batch& batch);

  Workbench bench_;
  std::vector<std::unique_ptr<CpuLayer>> layers_;
  std::vector<Sum> sums_;  ///< from the last layer to the first
  dnnl::memory images_;
  View short_batch_;  ///< images of an incomplete batch, followed by zeros
  Tally tally_;
};

}  // namespace easgd::cpu
