// A worker that stands still while its master fails: once it is given up, nobody waits for it.
#pragma once

#include "exchange/mailbox.h"
#include "explorer.h"

namespace easgd::proof {

class StandstillScenario final : public Scenario {
 public:
  StandstillScenario() { box_.attach(letter_, reply_); }

  std::size_t threads() const override { return 3; }

  void run(std::size_t thread) override {
    if (thread == 0) return live();
    if (thread == 1) return serve();
    give_up();
  }

  void check() const override { expect(was_given_up_, "nobody has given up the worker"); }

 private:
  static Explorer& explorer() { return Explorer::current(); }

  void live() {
    letter_[0] = 1;
    box_.note() = {.rates = {}, .clock = 1, .tally = {}, .visit = Visit::letter};
    box_.post();
    if (box_.wait_for_reply() == Mailbox::Reply::values) expect(reply_[0] == 1, "another's reply");
    box_.release();
    stands_.exchange(1);
    stands_.notify_all();
  }

  /// As Master::run does that fails in one of its first rounds.
  void serve() {
    if (box_.state() == Mailbox::State::posted) {
      box_.reply_to_write()[0] = box_.letter_to_read()[0];
      box_.answer(Mailbox::Reply::values);
    }
    box_.close();
    while (true) {
      explorer().at({});
      const int rings = bell_.rings();
      if (box_.state() == Mailbox::State::abandoned) return;
      bell_.wait(rings);
    }
  }

  void give_up() {
    stands_.wait(0);
    // The master may close it meanwhile, once.
    expect(box_.withdraw() || box_.withdraw(), "a worker that nobody can give up");
    box_.abandon(nullptr);
    was_given_up_ = true;
  }

  Bell bell_;
  Mailbox box_{bell_, 0};
  Atomic<int> stands_{0};
  bool was_given_up_ = false;
  float letter_[1] = {}, reply_[1] = {};
};

}  // namespace easgd::proof
