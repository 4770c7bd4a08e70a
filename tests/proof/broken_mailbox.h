// A copy of Mailbox into which mistakes can be put. Without one it is as good as the real one.
#pragma once

#include "exchange/mailbox.h"

namespace easgd::proof {

enum class Flaw {
  none,
  rings_before_it_posts,
  answers_by_a_store,  ///< a release store where a read-modify-write is
  notifies_before_it_answers,
  writes_the_answer_late,
  reads_the_answer_early,  ///< before it has waited
  sleeps_without_a_look,   ///< as if one awakening were an answer
  leaves_in_silence,       ///< the bell is not rung
  leaves_with_a_letter_out,
  closes_in_silence,  ///< sleepers are not woken
  closes_who_has_left,
};

template <Flaw kFlaw>
class BrokenMailbox {
 public:
  using State = Mailbox::State;
  using Reply = Mailbox::Reply;

  BrokenMailbox(Bell& bell, std::size_t) : bell_(bell) {}
  void attach(View letter, View reply) { letter_ = letter, reply_ = reply; }
  ConstView reply() const { return reply_; }
  ConstView letter_to_read() const { return letter_; }
  View reply_to_write() { return reply_; }
  LetterNote& note() { return note_; }
  const LetterNote& note_to_read() const { return note_; }
  std::uint64_t mark() const { return mark_; }
  std::uint64_t letters() const { return letters_; }
  State state() const { return state_.load(std::memory_order_acquire); }

  void post() {
    letters_ += note_.visit == Visit::letter;
    if (kFlaw == Flaw::rings_before_it_posts) bell_.ring();
    change(State::idle, State::posted);
    if (kFlaw != Flaw::rings_before_it_posts) bell_.ring();
  }

  Reply wait_for_reply() {
    const Reply early = kFlaw == Flaw::reads_the_answer_early ? kind_ : Reply::none;
    State seen = state();
    if (kFlaw == Flaw::sleeps_without_a_look) {
      state_.wait(State::posted, std::memory_order_acquire);
    } else {
      while (seen == State::posted) {
        state_.wait(State::posted, std::memory_order_acquire);
        seen = state();
      }
    }
    if (seen == State::closed) return Reply::closed;
    if (kFlaw == Flaw::reads_the_answer_early) return early;
    return seen == State::answered ? kind_ : Reply::none;
  }

  void release() { change(State::answered, State::idle); }

  void leave() {
    if (kFlaw != Flaw::leaves_with_a_letter_out) wait_for_reply();
    for (State seen = state(); seen != State::left; seen = state()) change(seen, State::left);
    if (kFlaw != Flaw::leaves_in_silence) bell_.ring();
  }

  void answer(Reply kind, std::uint64_t mark) {
    if (kFlaw != Flaw::writes_the_answer_late) kind_ = kind, mark_ = mark;
    if (kFlaw == Flaw::notifies_before_it_answers) state_.notify_one();
    if (kFlaw == Flaw::answers_by_a_store) {
      state_.store(State::answered, std::memory_order_release);
    } else {
      change(State::posted, State::answered);
    }
    if (kFlaw == Flaw::writes_the_answer_late) kind_ = kind, mark_ = mark;
    if (kFlaw != Flaw::notifies_before_it_answers) state_.notify_one();
  }

  void close() {
    for (State seen = state(); seen != State::closed; seen = state()) {
      if (seen == State::left && kFlaw != Flaw::closes_who_has_left) break;
      change(seen, State::closed);
    }
    if (kFlaw != Flaw::closes_in_silence) state_.notify_one();
  }

 private:
  void change(State from, State to) {
    state_.compare_exchange_strong(from, to, std::memory_order_seq_cst);
  }

  View letter_, reply_;
  LetterNote note_;
  std::uint64_t letters_ = 0;
  Reply kind_ = Reply::none;
  std::uint64_t mark_ = 0;
  Atomic<State> state_{State::idle};
  Bell& bell_;
};

}  // namespace easgd::proof
