#include "data/batch_ring.h"

#include <thread>
#include <utility>

namespace easgd {

bool BatchRing::Slot::claim() {
  std::uint32_t expected = queued;
  return state.compare_exchange_strong(expected, building, std::memory_order_acquire);
}

BatchRing::BatchRing(std::unique_ptr<const BatchAssembly> assembly, Spawn spawn)
    : assembly_(std::move(assembly)), spawn_(std::move(spawn)) {
  for (Slot& slot : slots_) slot.memory = assembly_->make_memory();
}

BatchRing::~BatchRing() {
  for (Slot& slot : slots_) withdraw(slot);
  while (tasks_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

/// Makes sure that the slot of this step holds it or is going to.
void BatchRing::prepare(std::uint64_t step) {
  Slot& slot = slot_of(step);
  const bool is_free = slot.state.load(std::memory_order_relaxed) == free_slot;
  if (!is_free && slot.memory.batch.step == step) return;
  withdraw(slot);
  slot.memory.batch.step = step;
  slot.state.store(queued, std::memory_order_release);
  spawn_task(slot);
}

void BatchRing::spawn_task(Slot& slot) {
  tasks_.fetch_add(1, std::memory_order_relaxed);
  try {
    spawn_([this, &slot] {
      if (slot.claim()) build(slot);
      tasks_.fetch_sub(1, std::memory_order_release);
    });
  } catch (...) {
    tasks_.fetch_sub(1, std::memory_order_release);
    throw;
  }
}

void BatchRing::build(Slot& slot) {
  try {
    assembly_->build(slot.memory);
  } catch (...) {
    slot.error = std::current_exception();
  }
  // Not a store: notify_one() skips the wake-up if it reads that nobody waits, and the processor may
  // read that before a plain store is visible to whoever begins to wait.
  slot.state.exchange(ready, std::memory_order_seq_cst);
  slot.state.notify_one();
}

/// Until a slot that somebody is building is ready.
void BatchRing::wait(Slot& slot) {
  slot.state.wait(building, std::memory_order_acquire);
}

/// Brings a slot back to the step loop, whatever it was doing.
void BatchRing::withdraw(Slot& slot) {
  if (!slot.claim()) wait(slot);
  slot.error = nullptr;
  slot.state.store(free_slot, std::memory_order_relaxed);
}

const Batch& BatchRing::next(std::uint64_t step) {
  for (std::uint64_t s = step; s < step + kSlots; ++s) prepare(s);
  Slot& slot = slot_of(step);
  if (slot.claim()) {
    build(slot);
  } else if (slot.state.load(std::memory_order_acquire) != ready) {
    wait(slot);
  }
  if (slot.error) {
    const std::exception_ptr error = slot.error;
    withdraw(slot);
    std::rethrow_exception(error);
  }
  return slot.memory.batch;
}

}  // namespace easgd
