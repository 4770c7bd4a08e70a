#include "fiber.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace easgd::proof {

Fiber::Fiber() {
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = kStack;
  context_.uc_link = nullptr;
}

void Fiber::start(std::function<void()> body) {
  body_ = std::move(body);
  fresh_ = true;
}

/// makecontext hands on integers only.
void Fiber::enter(unsigned low, unsigned high) {
  auto* fiber = reinterpret_cast<Fiber*>(std::uintptr_t(high) << 32 | low);
  fiber->body_();
  _longjmp(fiber->caller_, 1);
}

/// Stacks are changed by jumps: a change of contexts would ask the kernel for the signal mask.
void Fiber::resume() {
  if (_setjmp(caller_) != 0) return;
  if (!fresh_) _longjmp(here_, 1);
  fresh_ = false;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, unsigned(self),
              unsigned(self >> 32));
  setcontext(&context_);
}

void Fiber::pause() {
  constexpr std::ptrdiff_t kBelow = 256;  // of this frame, and the red zone
  top_ = static_cast<char*>(__builtin_frame_address(0)) - kBelow;
  if (_setjmp(here_) == 0) _longjmp(caller_, 1);
}

void Fiber::save(Saved& to) const {
  to.stack.assign(top_, stack_.get() + kStack);
  std::memcpy(&to.here, &here_, sizeof here_);
}

void Fiber::restore(const Saved& from) {
  top_ = stack_.get() + kStack - from.stack.size();
  std::ranges::copy(from.stack, top_);
  std::memcpy(&here_, &from.here, sizeof here_);
}

}  // namespace easgd::proof
