#include "exchange/snapshot.h"

#include "base/check.h"

namespace easgd {

bool SnapshotSlot::offer(const CenterView& view, double seconds) {
  if (state_.load(std::memory_order_acquire) != State::empty) return false;
  EASGD_CHECK(view.version >= snapshot_.version, "version {} after {}", view.version,
              snapshot_.version);
  view.copy_to(snapshot_.center);
  snapshot_.version = view.version;
  snapshot_.steps.assign(view.steps.begin(), view.steps.end());
  snapshot_.train = view.train;
  snapshot_.seconds = seconds;
  change(State::full);
  return true;
}

Snapshot* SnapshotSlot::take() {
  state_.wait(State::empty, std::memory_order_acquire);
  return state_.load(std::memory_order_acquire) == State::full ? &snapshot_ : nullptr;
}

void SnapshotSlot::release() {
  change(State::empty);
}

void SnapshotSlot::wait_until_empty() const {
  state_.wait(State::full, std::memory_order_acquire);
}

void SnapshotSlot::close() {
  change(State::closed);
}

}  // namespace easgd
