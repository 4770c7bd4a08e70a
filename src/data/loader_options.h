// What the training batches of a worker are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/view.h"
#include "data/augmentation.h"
#include "data/normalisation.h"
#include "data/sampling.h"
#include "data/spawn.h"

namespace easgd {

/// Batches that a loader has memory for: one in use, the others ahead.
constexpr std::size_t kBatchSlots = 4, kFewestBatchSlots = 2;

struct LoaderOptions {
  std::size_t batch = 128;
  CropOptions crop = {};
  Partition partition = Partition::whole;
  SampleOrder order = SampleOrder::shuffled;
  std::size_t limit = 0;  ///< see used_samples()
  std::uint64_t seed = 1;
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
  Normalisation normalisation = {};
  /// Batches say how their images are cut out of the set, which a device keeps. Only for a set of
  /// images of one size.
  bool resident = false;
  /// Where batches lie: a CUDA worker wants pinned memory.
  std::function<Buffer(std::size_t)> allocate = host_buffer;
  /// A batch of more bytes is built in parts, by several threads. So much is about 0.4 ms of one
  /// AVX2 core, some hundred times what a task costs: 128 images of CIFAR stay one part; of 224x224
  /// pixels, which have to be decoded as well, a part is three.
  std::size_t part_bytes = std::size_t{2} << 20;
  std::size_t slots = kBatchSlots;
  /// Who prepares them. Tests put threads here that the thread sanitizer can see through.
  Spawn spawn = spawn_on_tbb;
};

}  // namespace easgd
