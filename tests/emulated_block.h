// Blocks of threads on the host: each thread is a fiber that runs up to a barrier, and an order
// says which of all that can run is next. Memory is that of one thread of the host: what another
// block of a device sees late (__threadfence) cannot be shown here.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "kernels/channel_block.h"

namespace easgd::testing {

/// How the threads of a grid take turns.
struct EmulatedOrder {
  enum class Next { first, last, bursts };  ///< bursts: a block runs on for a while, then another

  Next next = Next::bursts;      ///< of those that can run
  std::uint64_t seed = 1;        ///< of the bursts, and of what shared memory holds at first
  std::size_t side_by_side = 1;  ///< blocks that run at once
  int without_barrier = -1;      ///< nobody waits at this one, counted from 0 in each thread
};

class EmulatedGrid;

/// What kernels/channel_block.h asks of a block, for one of its threads.
class EmulatedThread {
 public:
  struct Shared {
    kernels::Index group, part;
    kernels::Sums sums[kernels::ReductionLayout::kThreads];
    bool last;
  };

  EmulatedThread(EmulatedGrid& grid, Shared& shared, kernels::Index thread)
      : grid_(grid), shared_(shared), thread_(thread) {}

  kernels::Index group() const { return shared_.group; }
  kernels::Index part() const { return shared_.part; }
  kernels::Index thread() const { return thread_; }
  kernels::Sums* sums() const { return shared_.sums; }
  bool& last() const { return shared_.last; }
  void wait();
  void publish() {}
  kernels::Index count_up(std::uint32_t* counter, kernels::Index most) {
    return std::exchange(*counter, *counter >= most ? 0 : *counter + 1);
  }

 private:
  friend class EmulatedGrid;

  EmulatedGrid& grid_;
  Shared& shared_;
  kernels::Index thread_;
  int barriers_ = 0;  // that it has come to
  bool has_ended_ = false;
  std::unique_ptr<char[]> stack_;
  ucontext_t context_{};
};

class EmulatedGrid {
 public:
  using Body = std::function<void(EmulatedThread&)>;

  EmulatedGrid(const EmulatedOrder& order, Body body)
      : order_(order), body_(std::move(body)), draw_(order.seed) {}

  /// Runs all blocks, begun in the order of `next`, to their ends. A barrier lets those through
  /// that have come once the others have ended, as on a device.
  void run(kernels::Index groups, kernels::Index parts) {
    std::vector<kernels::Index> to_begin(groups * parts);
    for (std::size_t i = 0; i < to_begin.size(); ++i) to_begin[i] = kernels::Index(i);
    if (order_.next == EmulatedOrder::Next::first) std::ranges::reverse(to_begin);
    if (order_.next == EmulatedOrder::Next::bursts) std::ranges::shuffle(to_begin, draw_);
    while (!to_begin.empty() || !blocks_.empty()) {
      for (; !to_begin.empty() && blocks_.size() < order_.side_by_side; to_begin.pop_back()) {
        begin(to_begin.back() % groups, to_begin.back() / groups);
      }
      Block& block = next_block();
      turn(block, next_thread(block));
      if (block.ready.empty() && block.waiting.empty()) {
        std::erase_if(blocks_, [&block](const auto& b) { return b.get() == &block; });
        burst_ = 0;
      }
    }
  }

  /// The most that a thread has come to.
  int barriers() const { return barriers_; }

 private:
  friend class EmulatedThread;

  struct Block {
    EmulatedThread::Shared shared;
    std::vector<std::unique_ptr<EmulatedThread>> threads;
    std::vector<EmulatedThread*> ready, waiting;
  };

  void begin(kernels::Index group, kernels::Index part) {
    Block& block = *blocks_.emplace_back(std::make_unique<Block>());
    block.shared.group = group;
    block.shared.part = part;
    block.shared.last = draw_() % 2 == 0;
    for (auto& sums : block.shared.sums) sums = {double(draw_() % 1000), double(draw_() % 1000)};
    for (kernels::Index t = 0; t < kernels::ReductionLayout::kThreads; ++t) {
      block.threads.push_back(std::make_unique<EmulatedThread>(*this, block.shared, t));
      block.ready.push_back(block.threads.back().get());
      prepare(block.threads.back()->context_, block.threads.back()->stack_);
    }
  }

  void prepare(ucontext_t& context, std::unique_ptr<char[]>& stack) {
    constexpr std::size_t kStack = std::size_t{1} << 16;
    getcontext(&context);
    stack = std::make_unique_for_overwrite<char[]>(kStack);
    context.uc_stack.ss_sp = stack.get();
    context.uc_stack.ss_size = kStack;
    context.uc_link = &scheduler_;
    makecontext(&context, &EmulatedGrid::enter, 0);
  }

  /// One that has a thread which can run.
  Block& next_block() {
    if (burst_ > 0 && running_ < blocks_.size() && !blocks_[running_]->ready.empty()) {
      --burst_;
      return *blocks_[running_];
    }
    std::vector<std::size_t> able;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (!blocks_[i]->ready.empty()) able.push_back(i);
    }
    running_ = able.at(order_.next == EmulatedOrder::Next::bursts ? draw_() % able.size() : 0);
    burst_ = std::size_t{1} << draw_() % 12;
    return *blocks_[running_];
  }

  EmulatedThread& next_thread(Block& block) {
    const auto earlier = [](const EmulatedThread* a, const EmulatedThread* b) {
      return a->thread_ < b->thread_;
    };
    auto next = block.ready.begin() + std::ptrdiff_t(draw_() % block.ready.size());
    if (order_.next == EmulatedOrder::Next::first)
      next = std::ranges::min_element(block.ready, earlier);
    if (order_.next == EmulatedOrder::Next::last)
      next = std::ranges::max_element(block.ready, earlier);
    EmulatedThread& thread = **next;
    block.ready.erase(next);
    return thread;
  }

  /// Lets a thread run up to a barrier or its end.
  void turn(Block& block, EmulatedThread& thread) {
    current_ = &thread;
    swapcontext(&scheduler_, &thread.context_);
    barriers_ = std::max(barriers_, thread.barriers_);
    if (!thread.has_ended_) block.waiting.push_back(&thread);
    if (block.ready.empty()) std::swap(block.ready, block.waiting);  // all have come
  }

  static void enter() {
    EmulatedThread& thread = *current_;
    thread.grid_.body_(thread);
    thread.has_ended_ = true;
  }

  EmulatedOrder order_;
  Body body_;
  std::mt19937_64 draw_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t running_ = 0, burst_ = 0;
  int barriers_ = 0;
  ucontext_t scheduler_{};
  inline static EmulatedThread* current_ = nullptr;
};

inline void EmulatedThread::wait() {
  if (barriers_++ != grid_.order_.without_barrier) swapcontext(&context_, &grid_.scheduler_);
}

}  // namespace easgd::testing
