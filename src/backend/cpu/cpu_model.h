// A network compiled for the CPU: a chain of layers on one thread's team.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/workbench.h"

namespace easgd::cpu {

class CpuModel final : public Model {
 public:
  /// Throws: ConfigError for a precision or a layer the CPU does not have, DeviceError.
  CpuModel(const Network& network, const ModelOptions& options);

  void gradient(ConstView x, const Batch& batch, View g) override;
  void evaluate(ConstView x, const Batch& batch) override;
  Tally take_tally() override;
  std::size_t memory() const override { return bench_.bytes(); }

 private:
  void compile(const std::vector<Link>& links);
  void bind_images(const Batch& batch);

  Workbench bench_;
  std::vector<std::unique_ptr<CpuLayer>> layers_;
  dnnl::memory images_;
  View short_batch_;  ///< images of an incomplete batch, followed by zeros
  Tally tally_;
};

}  // namespace easgd::cpu
