#include "exchange/mailbox.h"

#include <cassert>

namespace easgd {

void Mailbox::post() {
  State expected = State::idle;
  state_.compare_exchange_strong(expected, State::posted, std::memory_order_release);
  assert(expected == State::idle || expected == State::closed);
  bell_.ring();
}

Mailbox::Reply Mailbox::wait_for_reply() {
  State seen = state();
  while (seen == State::posted) {
    state_.wait(State::posted, std::memory_order_acquire);
    seen = state();
  }
  if (seen == State::closed) return Reply::closed;
  return seen == State::answered ? kind_ : Reply::none;
}

void Mailbox::release() {
  State expected = State::answered;
  state_.compare_exchange_strong(expected, State::idle, std::memory_order_release);
}

void Mailbox::leave() {
  wait_for_reply();
  release();
  State expected = State::idle;
  state_.compare_exchange_strong(expected, State::left, std::memory_order_release);
  bell_.ring();
}

void Mailbox::answer(Reply kind) {
  kind_ = kind;
  state_.store(State::answered, std::memory_order_release);
  state_.notify_one();
}

void Mailbox::close() {
  state_.store(State::closed, std::memory_order_release);
  state_.notify_one();
}

}  // namespace easgd
