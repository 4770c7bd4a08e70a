// A worker that is given up wherever it stands, in the order of the calls of Worker, Master and
// Team: another takes its seat, or nobody, and the worker, should it move, is in no one's way.
#pragma once

#include <array>

#include "exchange/mailbox.h"
#include "explorer.h"

namespace easgd::proof {

/// Who takes the seat of a worker that was given up.
enum class Seat { to_heir, to_nobody };

class HeirScenario final : public Scenario {
 public:
  HeirScenario(std::uint64_t letters, Seat seat)
      : letters_(letters), has_heir_(seat == Seat::to_heir) {
    for (std::size_t i = 0; i < 2; ++i) boxes_[i].attach(letter_[i], reply_[i]);
  }

  std::size_t threads() const override { return 4; }

  void run(std::size_t thread) override {
    switch (thread) {
      case 0:
        return live();
      case 1:
        return inherit();
      case 2:
        return serve();
    }
    give_up();
  }

  void check() const override {
    const bool inherits = is_given_up_ && has_heir_;
    expect(served_[1] == (inherits ? letters_ : 0), "the heir did not finish");
    expect(begun_ == inherits, "the heir was not given the center once");
    expect(served_[0] == (is_given_up_ ? came_to_ : letters_), "the worker did not finish");
  }

 private:
  enum class Heir : int { waits, lives, is_not_needed };

  static Explorer& explorer() { return Explorer::current(); }

  void live() {
    for (std::uint64_t letter = 1; letter <= letters_; ++letter) {
      explorer().at({letter});
      if (boxes_[0].is_given_up() || !exchange(0, letter)) break;
    }
    lock();
    if (!is_over_) boxes_[0].leave();
    is_over_ = true;
    unlock();
  }

  void inherit() {
    heir_.wait(Heir::waits, std::memory_order_acquire);
    if (heir_.load(std::memory_order_acquire) != Heir::lives) return;
    Mailbox& box = boxes_[1];
    box.note() = {.rates = {}, .clock = 0, .tally = {}, .visit = Visit::begin};
    box.post();
    expect(box.wait_for_reply() == Mailbox::Reply::restart, "no center to begin again from");
    expect(reply_[1][0] == -1, "another's center");
    box.release();
    for (std::uint64_t letter = 1; letter <= letters_; ++letter) {
      explorer().at({letter});
      expect(exchange(1, letter), "the heir was turned away");
    }
    box.leave();
  }

  /// False if the worker was given up.
  bool exchange(std::size_t i, std::uint64_t letter) {
    Mailbox& box = boxes_[i];
    letter_[i][0] = float(letter);
    box.note() = {.rates = {}, .clock = letter, .tally = {}, .visit = Visit::letter};
    box.post();
    if (box.wait_for_reply() == Mailbox::Reply::closed) return false;
    expect(reply_[i][0] == float(letter), "another's reply");
    box.release();
    return true;
  }

  void give_up() {
    lock();
    // The mailbox only hands it on.
    const auto* heir = has_heir_ ? reinterpret_cast<const Member*>(&boxes_[1]) : nullptr;
    is_given_up_ = !is_over_ && boxes_[0].withdraw();
    is_over_ = is_over_ || is_given_up_;
    if (is_given_up_) {
      came_to_ = served_[0];  // the master serves no letter of it any more
      boxes_[0].abandon(heir);
    }
    heir_.exchange(is_given_up_ && heir ? Heir::lives : Heir::is_not_needed);
    heir_.notify_all();
    unlock();
  }

  void serve() {
    while (true) {
      explorer().at({served_[0], served_[1], begun_, seat_});
      const int rings = bell_.rings();
      const Mailbox::State state = look();
      if (state == Mailbox::State::posted) {
        answer();
      } else if (state == Mailbox::State::left) {
        return;
      } else {
        bell_.wait(rings);
      }
    }
  }

  /// As Master::look_at does.
  Mailbox::State look() {
    Mailbox::State state = boxes_[seat_].state();
    while (state == Mailbox::State::left || state == Mailbox::State::abandoned) {
      if (!boxes_[seat_].heir()) return Mailbox::State::left;
      expect(seat_++ == 0, "an heir of the heir");
      state = boxes_[seat_].state();
    }
    return state;
  }

  void answer() {
    Mailbox& box = boxes_[seat_];
    const LetterNote& note = box.note_to_read();
    const bool begins = note.visit == Visit::begin;
    if (begins) {
      ++begun_;
    } else {
      expect(++served_[seat_] == note.clock, "a letter out of turn");
      expect(box.letter_to_read()[0] == float(note.clock), "another's letter");
    }
    box.reply_to_write()[0] = begins ? -1 : float(note.clock);
    box.answer(begins ? Mailbox::Reply::restart : Mailbox::Reply::values);
  }

  // Team's mutex of lives' fates.
  void lock() {
    while (fate_.exchange(1) == 1) fate_.wait(1);
  }
  void unlock() {
    fate_.exchange(0);
    fate_.notify_all();
  }

  const std::uint64_t letters_;
  const bool has_heir_;
  Bell bell_;
  Mailbox boxes_[2] = {Mailbox(bell_, 0), Mailbox(bell_, 0)};  // the worker's, its heir's
  Atomic<Heir> heir_{Heir::waits};
  Atomic<int> fate_{0};
  bool is_over_ = false, is_given_up_ = false;  // guarded by fate_
  std::uint64_t came_to_ = 0;                   // the worker that was given up
  float letter_[2][1] = {}, reply_[2][1] = {};
  // The master's.
  std::array<std::uint64_t, 2> served_{};
  std::uint64_t begun_ = 0;
  std::size_t seat_ = 0;
};

}  // namespace easgd::proof
