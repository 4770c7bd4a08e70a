// Batches that are built a few steps ahead, on other threads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>

#include "data/batch_assembly.h"
#include "data/spawn.h"

namespace easgd {

/// Slot s % kSlots holds step s.
///
/// Each slot is free, queued, building or ready, by one atomic. A task builds the slot it was
/// queued for. The step loop that finds its batch still queued takes it and builds it itself, so it
/// never waits for a scheduler; only if a task has begun does it wait for the end.
///
/// Thread: belongs to the step loop of one worker; tasks only build queued slots.
class BatchRing final : public BatchSource {
 public:
  BatchRing(std::unique_ptr<const BatchAssembly> assembly, Spawn spawn);
  /// Waits for the tasks: those that come too late find nothing queued, but they have to have come.
  ~BatchRing() override;

  /// Throws: what the assembly threw while it built this batch, and what `spawn` throws; can be
  /// called again.
  const Batch& next(std::uint64_t step) override;

 private:
  static constexpr std::size_t kSlots = 4;  // one in the hands of the step loop, three ahead

  enum State : std::uint32_t { free_slot, queued, building, ready };

  /// Who may touch the memory: the step loop while the slot is free or ready, whoever brought it
  /// from queued to building until it is ready.
  struct Slot {
    std::atomic<std::uint32_t> state{free_slot};
    BatchMemory memory;
    std::exception_ptr error;

    bool claim();
  };

  Slot& slot_of(std::uint64_t step) { return slots_[step % kSlots]; }
  void prepare(std::uint64_t step);
  void spawn_task(Slot& slot);
  void build(Slot& slot);
  static void wait(Slot& slot);
  static void withdraw(Slot& slot);

  std::unique_ptr<const BatchAssembly> assembly_;
  Spawn spawn_;
  std::array<Slot, kSlots> slots_;
  std::atomic<int> tasks_{0};  // that have been spawned and have not ended
};

}  // namespace easgd
