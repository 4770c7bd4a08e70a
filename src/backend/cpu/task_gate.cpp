#include "backend/cpu/task_gate.h"

namespace easgd::cpu {

void TaskGate::open(std::size_t count) {
  count_ = count;
  inside_.store(kOpen, std::memory_order_release);
  news_.fetch_add(1, std::memory_order_seq_cst);
  news_.notify_all();
}

void TaskGate::close() {
  int inside = inside_.fetch_add(-kOpen, std::memory_order_acquire) - kOpen;
  for (; inside > 0; inside = inside_.load(std::memory_order_acquire)) {
    inside_.wait(inside, std::memory_order_relaxed);
  }
  next_.store(0, std::memory_order_relaxed);
}

void TaskGate::end() {
  has_ended_.store(true, std::memory_order_relaxed);
  news_.fetch_add(1, std::memory_order_seq_cst);
  news_.notify_all();
}

std::optional<std::size_t> TaskGate::take() {
  const std::size_t task = next_.fetch_add(1, std::memory_order_relaxed);
  return task < count_ ? std::optional(task) : std::nullopt;
}

bool TaskGate::enter(int& round) {
  while (true) {
    news_.wait(round, std::memory_order_relaxed);
    round = news_.load(std::memory_order_acquire);
    if (has_ended_.load(std::memory_order_relaxed)) return false;
    int seen = inside_.load(std::memory_order_relaxed);
    while (seen & kOpen) {
      if (inside_.compare_exchange_strong(seen, seen + 1, std::memory_order_acquire)) return true;
    }
  }
}

/// Released would do for what the thread has written; for who sleeps see Mailbox::change.
void TaskGate::leave() {
  if (inside_.fetch_add(-1, std::memory_order_seq_cst) == 1) inside_.notify_one();
}

}  // namespace easgd::cpu
