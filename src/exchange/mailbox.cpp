#include "exchange/mailbox.h"

#include "base/check.h"

namespace easgd {

const char* to_string(Mailbox::State state) {
  constexpr const char* kNames[] = {"idle",   "posted",    "answered", "left",
                                    "closed", "withdrawn", "abandoned"};
  return kNames[int(state)];
}

/// A read-modify-write, where a store would do for the hand-over alone: the library wakes nobody if
/// its count of sleepers is zero, and a processor may read that count before others see a plain
/// store. The sleeper would then sleep for ever.
Mailbox::State Mailbox::change(State from, State to) {
  State seen = from;
  state_.compare_exchange_strong(seen, to, std::memory_order_seq_cst);
  return seen;
}

void Mailbox::post() {
  letters_ += note_.visit == Visit::letter;
  const State seen = change(State::idle, State::posted);
  EASGD_CHECK(seen == State::idle || seen == State::closed || is_given_up(seen),
              "worker {} posts at step {} while {}", worker_, note_.clock, to_string(seen));
  bell_.ring();
}

Mailbox::Reply Mailbox::wait_for_reply() {
  State seen = state();
  while (seen == State::posted) {
    state_.wait(State::posted, std::memory_order_acquire);
    seen = state();
  }
  if (seen == State::closed || is_given_up(seen)) return Reply::closed;
  return seen == State::answered ? kind_ : Reply::none;
}

void Mailbox::release() {
  const State seen = change(State::answered, State::idle);
  EASGD_CHECK(seen != State::posted && seen != State::left,
              "worker {} at step {} releases while {}", worker_, note_.clock, to_string(seen));
}

void Mailbox::leave(const Member* heir) {
  wait_for_reply();
  heir_ = heir;
  for (State seen = state(); seen != State::left; seen = state()) change(seen, State::left);
  bell_.ring();
}

void Mailbox::answer(Reply kind, std::uint64_t mark) {
  kind_ = kind;
  mark_ = mark;
  const State seen = change(State::posted, State::answered);
  EASGD_CHECK(seen == State::posted, "worker {} is answered at step {} while {}", worker_,
              note_.clock, to_string(seen));
  state_.notify_one();
}

void Mailbox::close() {
  const auto is_over = [](State s) {
    return s == State::left || s == State::closed || is_given_up(s);
  };
  for (State seen = state(); !is_over(seen); seen = state()) change(seen, State::closed);
  state_.notify_one();
}

/// Once the master has failed too: it waits for all to leave, also for one that does not move.
bool Mailbox::withdraw() {
  const State seen = state();
  const bool may = seen == State::idle || seen == State::answered || seen == State::closed;
  return may && change(seen, State::withdrawn) == seen;
}

void Mailbox::abandon(const Member* heir) {
  heir_ = heir;
  const State seen = change(State::withdrawn, State::abandoned);
  EASGD_CHECK(seen == State::withdrawn, "worker {} is abandoned at step {} while {}", worker_,
              note_.clock, to_string(seen));
  bell_.ring();
}

}  // namespace easgd
