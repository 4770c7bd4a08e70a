// Batches for training and for evaluation.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "data/augmentation.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "data/normalisation.h"
#include "data/sampling.h"

namespace easgd {

/// Has a task run on another thread, soon. The default is a small TBB arena that all loaders share.
using Spawn = std::function<void(std::function<void()>)>;
void spawn_on_tbb(std::function<void()> task);

struct LoaderOptions {
  std::size_t batch = 128;
  int crop = 0;  ///< side of the square that is cut out at random; 0: the whole image
  int pad = 0;   ///< black pixels on each side that it may reach into
  bool flip = false;
  Partition partition = Partition::whole;
  Order order = Order::shuffled;
  /// First samples of the set that are used; 0, or more than there are: all.
  std::size_t limit = 0;
  std::uint64_t seed = 1;
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
  Normalisation normalisation = {};
  /// Batches tell how their images are cut out of the set, which a device keeps.
  bool resident = false;
  /// Where batches lie: a CUDA worker wants pinned memory.
  std::function<Buffer(std::size_t)> allocate = host_buffer;
  /// Who prepares them. Tests put threads here that the thread sanitizer can see through.
  Spawn spawn = spawn_on_tbb;
};

/// The training batches of one worker, prepared a few steps ahead on other threads.
///
/// What is in a batch is a function of (set, options, step) alone; threads and timing change
/// nothing. Every batch is full; where one pass ends inside a batch the next begins.
///
/// Each slot of the ring is free, queued, building or ready, by one atomic. A task builds the
/// slot it was queued for. The step loop that finds its batch still queued takes it and builds it
/// itself, so it never waits for a scheduler; only where a task has begun does it wait for the end.
///
/// Thread: belongs to one worker; the set may be shared and has to outlive the loader.
/// Throws: ConfigError from the constructor, DataError for a set without images; next() throws what
/// the set threw while that batch was made, and can be called again.
class Loader final : public BatchSource {
 public:
  Loader(const Dataset& set, const LoaderOptions& options);
  ~Loader() override;

  /// The batch of any step, though only rising ones are ready in advance; valid until the next
  /// call.
  const Batch& next(std::uint64_t step) override;

  /// Side lengths of the images in the batches.
  Shape shape() const;
  /// Samples that this worker sees in one pass.
  std::size_t samples_in_pass() const;

 private:
  struct Slot;
  class Assembly;
  class Ring;

  std::unique_ptr<Ring> ring_;
};

struct EvaluationOptions {
  std::size_t batch = 128;
  int crop = 0;  ///< side of the square in the middle; 0: the whole image
  std::size_t limit =
      0;  ///< first samples of the set that are used; 0, or more than there are: all
  Normalisation normalisation = {};
};

/// A set in its own order, cut in the middle and not mirrored; the last batch may be shorter.
///
/// Thread: belongs to one thread; the set may be shared and has to outlive the loader.
/// Throws: ConfigError and, for a set without images, DataError from the constructor; at() throws
/// what the set throws.
class EvaluationLoader {
 public:
  EvaluationLoader(const Dataset& set, const EvaluationOptions& options);

  std::size_t samples() const { return samples_; }
  std::size_t batches() const { return (samples_ + batch_size_ - 1) / batch_size_; }
  Shape shape() const { return augmentation_.output(); }

  /// The batch number `index`, below batches(); its step is `index`. Valid until the next call.
  const Batch& at(std::size_t index);

 private:
  const Dataset& set_;
  Augmentation augmentation_;
  std::size_t batch_size_;
  std::size_t samples_;
  Buffer images_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint8_t> scratch_;
  Batch batch_;
};

}  // namespace easgd
