#include "data/batch_ring.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace easgd {

BatchRing::Slot::Slot(const BatchAssembly& assembly)
    : parts(assembly.parts()), memory(assembly.make_memory()), errors(assembly.parts()) {}

BatchRing::BatchRing(std::unique_ptr<const BatchAssembly> assembly, Spawn spawn, std::size_t slots)
    : assembly_(std::move(assembly)), spawn_(std::move(spawn)), slots_(slots) {
  for (auto& slot : slots_) slot = std::make_unique<Slot>(*assembly_);
}

BatchRing::~BatchRing() {
  for (const auto& slot : slots_) slot->parts.withdraw();
  while (tasks_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

/// Makes sure that the slot of this step holds it or is going to.
void BatchRing::prepare(std::uint64_t step) {
  Slot& slot = slot_of(step);
  if (slot.step == step) return;
  empty(slot);
  slot.step = slot.memory.batch.step = step;
  assembly_->begin(slot.memory);
  slot.parts.offer();
  for (std::size_t part = 0; part < slot.errors.size(); ++part) spawn_task(slot);
}

void BatchRing::spawn_task(Slot& slot) {
  tasks_.fetch_add(1, std::memory_order_relaxed);
  try {
    spawn_([this, &slot] {
      build_any(slot);
      tasks_.fetch_sub(1, std::memory_order_release);
    });
  } catch (...) {
    tasks_.fetch_sub(1, std::memory_order_release);
    throw;
  }
}

/// Builds a part that nobody has begun, if there is one.
bool BatchRing::build_any(Slot& slot) const {
  const auto part = slot.parts.claim();
  if (!part) return false;
  try {
    assembly_->build_part(*part, slot.memory);
  } catch (...) {
    slot.errors[*part] = std::current_exception();
  }
  slot.parts.finish();
  return true;
}

/// Brings a slot back to the step loop, whatever it was doing.
void BatchRing::empty(Slot& slot) {
  slot.parts.withdraw();
  slot.step.reset();
  for (auto& error : slot.errors) error = nullptr;
}

const Batch& BatchRing::next(std::uint64_t step) {
  const std::uint64_t end = std::min(step + slots_.size(), assembly_->batches());
  for (std::uint64_t s = step; s < end; ++s) prepare(s);
  Slot& slot = slot_of(step);
  while (build_any(slot)) {
  }
  slot.parts.wait();
  for (const std::exception_ptr& each : slot.errors) {
    if (!each) continue;
    const std::exception_ptr error = each;
    empty(slot);
    std::rethrow_exception(error);
  }
  return slot.memory.batch;
}

}  // namespace easgd
