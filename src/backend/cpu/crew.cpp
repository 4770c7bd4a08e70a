#include "backend/cpu/crew.h"

#include <fmt/format.h>
#include <omp.h>

#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd::cpu {
namespace {

constexpr std::uint32_t kOpen = 1u << 31;

}  // namespace

/// oneDNN computes on the thread that calls it, and makes its plans for that.
Crew::Crew(int threads) {
  omp_set_num_threads(1);
  try {
    for (int i = 1; i < threads; ++i) {
      helpers_.push_back(start_thread(fmt::format("{} of {}", i + 1, threads), [this] { help(); }));
    }
  } catch (...) {
    end();
    throw;
  }
}

Crew::~Crew() {
  end();
}

void Crew::end() {
  ends_.store(true);
  rounds_.fetch_add(1);
  rounds_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

/// Whoever comes late finds the gate closed, or the next round open.
void Crew::hand_out(std::size_t count, Job job) {
  job_ = job;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(kOpen, std::memory_order_release);
  rounds_.fetch_add(1);
  rounds_.notify_all();
  take_tasks();
  std::uint32_t inside = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  for (; inside > 0; inside = gate_.load(std::memory_order_acquire)) {
    gate_.wait(inside, std::memory_order_acquire);
  }
  error_.throw_if_any();
}

void Crew::take_tasks() noexcept {
  for (std::size_t i = 0; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
    try {
      job_.call(job_.task, i);
    } catch (...) {
      error_.record();
      next_.store(count_, std::memory_order_relaxed);
    }
  }
}

/// The body of a helper's thread.
void Crew::help() {
  name_thread("helper");
  omp_set_num_threads(1);
  for (std::uint32_t seen = 0;;) {
    rounds_.wait(seen);
    seen = rounds_.load();
    if (ends_.load()) return;
    if (!enter()) continue;
    take_tasks();
    leave();
  }
}

bool Crew::enter() {
  std::uint32_t state = gate_.load(std::memory_order_relaxed);
  while (state & kOpen) {
    if (gate_.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) return true;
  }
  return false;
}

void Crew::leave() {
  if (gate_.fetch_sub(1, std::memory_order_acq_rel) == 1) gate_.notify_one();
}

}  // namespace easgd::cpu
