// Training batches: samples in a random order, cut and mirrored at random, and normalised.
#pragma once

#include <functional>
#include <limits>

#include "data/augmentation.h"
#include "data/batch_assembly.h"
#include "data/batch_division.h"
#include "data/dataset.h"
#include "data/loader_options.h"
#include "data/sampling.h"
#include "kernels/philox.h"

namespace easgd {

/// Whether a device can keep a set and cut its batches out of it.
bool can_be_resident(const Dataset& set, const CropOptions& crop);

/// Thread: immutable; the set has to outlive it.
/// Throws: ConfigError from the constructor, DataError for a set without images; build_part()
/// throws what the set throws.
class TrainingAssembly final : public BatchAssembly {
 public:
  TrainingAssembly(const Dataset& set, const LoaderOptions& options);

  BatchMemory make_memory() const override;
  std::uint32_t parts() const override { return division_.parts(); }
  void build_part(std::uint32_t part, BatchMemory& to) const override;

  /// Side lengths of the images in the batches.
  Shape shape() const { return augmentation_.output(); }

 private:
  static constexpr auto kAtOnce = std::numeric_limits<std::size_t>::max();

  const Dataset& set_;
  Sampling sampling_;
  Augmentation augmentation_;
  kernels::Random random_;
  bool is_resident_;
  std::size_t batch_;
  BatchDivision division_;
  ResidentSet resident_;
  std::function<Buffer(std::size_t)> allocate_;
};

}  // namespace easgd
