// Batches that are built a few steps ahead, on other threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "data/batch_assembly.h"
#include "data/batch_parts.h"
#include "data/spawn.h"

namespace easgd {

/// Slot s % slots holds step s. A task is spawned for each part of a batch, and builds any part of
/// that slot that nobody has begun. So does the step loop when it needs the batch: it waits only
/// for parts that a task is in the middle of, never for a scheduler.
///
/// Thread: belongs to the step loop of one worker.
class BatchRing final : public BatchSource {
 public:
  /// `slots`: one for the batch in the hands of the step loop, the others for those ahead; not 0.
  BatchRing(std::unique_ptr<const BatchAssembly> assembly, Spawn spawn, std::size_t slots);
  /// Waits for the tasks: those that come too late find nothing to build, but they have to have
  /// come.
  ~BatchRing() override;

  /// Throws: what the assembly threw while it built this batch (of several parts, what the first
  /// threw), and what `spawn` throws; can be called again.
  const Batch& next(std::uint64_t step) override;

 private:
  struct Slot {
    explicit Slot(const BatchAssembly& assembly);

    std::optional<std::uint64_t> step;       ///< which the batch is of, or is going to be
    BatchParts parts;                        ///< who may touch what is below
    BatchMemory memory;                      ///< of a part: who has claimed it
    std::vector<std::exception_ptr> errors;  ///< what each part threw
  };

  Slot& slot_of(std::uint64_t step) { return *slots_[step % slots_.size()]; }
  void prepare(std::uint64_t step);
  void spawn_task(Slot& slot);
  bool build_any(Slot& slot) const;
  static void empty(Slot& slot);

  std::unique_ptr<const BatchAssembly> assembly_;
  Spawn spawn_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::atomic<int> tasks_{0};  // that have been spawned and have not ended
};

}  // namespace easgd
