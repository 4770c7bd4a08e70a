// Two workers and a master who exchange letters, in the order of the calls of Worker, Master and
// Team. What they have read is what was written for them, each letter is served once, all end.
#pragma once

#include <array>

#include "exchange/mailbox.h"
#include "explorer.h"

namespace easgd::proof {

/// What happens, or may happen at any place, beside letters that are absorbed.
struct Plan {
  std::size_t workers = 2;
  std::uint64_t letters = 1;  ///< of each worker
  bool pulls = false;         ///< each letter follows a pull
  bool refuses = false;       ///< letters may be refused
  bool leaves = false;        ///< the first worker may fail anywhere
  bool fails = false;         ///< the master may fail before any letter
  bool stops = false;         ///< the main thread asks for a stop
  bool marks = false;         ///< a checkpoint begins before the second letter
};

/// A mistake of the callers.
enum class Misuse {
  none,
  looks_before_the_bell,
  reads_before_it_waits,
  releases_before_it_reads,
  posts_before_it_reads,
};

template <class Box>
class ExchangeScenario final : public Scenario {
 public:
  explicit ExchangeScenario(const Plan& plan, Misuse misuse = Misuse::none)
      : plan_(plan), misuse_(misuse) {
    for (std::size_t i = 0; i < workers_; ++i) boxes_[i].attach(letters_[i], replies_[i]);
  }

  std::size_t threads() const override { return workers_ + 1 + plan_.stops; }

  void run(std::size_t thread) override {
    if (thread < workers_) return work(thread);
    if (thread == workers_) return serve();
    stop_.store(1, std::memory_order_release);
  }

  void check() const override {
    for (std::size_t i = 0; i < workers_; ++i) {
      expect(served_[i] + lost_[i] == boxes_[i].letters(), "a letter was lost, or served twice");
      if (ends_calmly()) expect(served_[i] == plan_.letters, "a worker did not finish");
      expect(laid_down_[i] <= 1, "a replica was laid down twice");
    }
  }

 private:
  static constexpr std::size_t kMost = 2;

  bool ends_calmly() const { return !plan_.leaves && !plan_.fails && !plan_.stops; }

  bool has_stopped() {
    return (plan_.stops || plan_.fails) && stop_.load(std::memory_order_acquire);
  }

  // A worker. -----------------------------------------------------------------------------------

  void work(std::size_t i) {
    std::uint64_t mark = 0;
    for (std::uint64_t letter = 1; letter <= plan_.letters; ++letter) {
      explorer().at({letter, mark});
      if (has_stopped()) break;
      if (plan_.pulls && !exchange(i, letter, true, mark)) break;
      if (!exchange(i, letter, false, mark)) break;
    }
    boxes_[i].leave();
  }

  /// False if the worker is to leave.
  bool exchange(std::size_t i, std::uint64_t letter, bool pull, std::uint64_t& mark) {
    Box& box = boxes_[i];
    if (fails_here(i)) return false;
    if (!pull) letters_[i][0] = letters_[i][1] = float(letter);
    box.note() = {
        .rates = {}, .clock = letter, .tally = {}, .visit = pull ? Visit::pull : Visit::letter};
    box.post();
    if (fails_here(i)) return false;
    if (misuse_ == Misuse::reads_before_it_waits) check_reply(i, 1, letter);
    if (misuse_ == Misuse::posts_before_it_reads && letter > 1) check_reply(i, 1, letter - 1);
    const auto kind = box.wait_for_reply();
    if (box.mark() > mark) mark = box.mark(), ++laid_down_[i];
    if (kind == Box::Reply::closed) return false;
    if (misuse_ == Misuse::releases_before_it_reads) box.release();
    expect(kind != Box::Reply::none, "an answer that holds nothing");
    if (misuse_ != Misuse::posts_before_it_reads) {
      check_reply(i, kind == Box::Reply::restart ? -1 : 1, letter);
    }
    if (fails_here(i)) return false;
    if (misuse_ != Misuse::releases_before_it_reads) box.release();
    return true;
  }

  void check_reply(std::size_t i, float sign, std::uint64_t letter) {
    const ConstView reply = boxes_[i].reply();
    expect(reply[0] == sign * float(letter) && reply[1] == float(i), "another's reply");
  }

  bool fails_here(std::size_t i) { return plan_.leaves && i == 0 && explorer().choose(2) == 1; }

  // The master. ---------------------------------------------------------------------------------

  void serve() {
    while (true) {
      explorer().at({served_[0], served_[1], pulls_[0], pulls_[1], marks_[0], marks_[1], start_});
      int rings = bell_.rings();
      const bool all_have_left = have_all_left();
      if (misuse_ == Misuse::looks_before_the_bell) rings = bell_.rings();
      heed_stop();
      const std::size_t worker = next();
      if (worker < workers_ && plan_.fails && explorer().choose(2) == 1) return fail(worker);
      if (worker < workers_) {
        absorb(worker);
      } else if (all_have_left) {
        return;
      } else {
        bell_.wait(rings);
      }
    }
  }

  bool have_all_left() {
    std::size_t left = 0;
    for (std::size_t i = 0; i < workers_; ++i) {
      states_[i] = boxes_[i].state();
      left += states_[i] == Box::State::left;
    }
    return left == workers_;
  }

  /// Who sees that a worker has left because of the stop sees the stop.
  void heed_stop() {
    if (!plan_.stops || plan_.leaves || has_stopped()) return;
    for (std::size_t i = 0; i < workers_; ++i) {
      expect(states_[i] != Box::State::left || served_[i] == plan_.letters, "left, and no stop");
    }
  }

  /// A worker that has posted, beginning after the one served last.
  std::size_t next() {
    for (std::size_t k = 0; k < workers_; ++k) {
      const std::size_t worker = (start_ + k) % workers_;
      if (states_[worker] != Box::State::posted) continue;
      start_ = (worker + 1) % workers_;
      return worker;
    }
    return workers_;
  }

  void absorb(std::size_t i) {
    Box& box = boxes_[i];
    const LetterNote& note = box.note_to_read();
    const bool is_due =
        note.visit == Visit::pull ? ++pulls_[i] == note.clock : ++served_[i] == note.clock;
    expect(is_due, "a letter out of turn");
    if (note.visit != Visit::pull)
      expect(box.letter_to_read()[1] == float(note.clock), "another's letter");
    const bool refuses = plan_.refuses && note.visit != Visit::pull && explorer().choose(2) == 1;
    const View reply = box.reply_to_write();
    reply[0] = (refuses ? -1 : 1) * float(note.clock);
    reply[1] = float(i);
    box.answer(refuses ? Box::Reply::restart : Box::Reply::values, marks_[i]);
    marks_[i] = plan_.marks && served_[0] + served_[1] == 1;
  }

  /// As Master::run does: everybody is let go, and waited for.
  void fail(std::size_t posted) {
    stop_.store(1, std::memory_order_release);
    for (Box& box : boxes_) box.close();
    while (true) {
      explorer().at({served_[0], served_[1], posted});
      const int rings = bell_.rings();
      if (have_all_left()) break;
      bell_.wait(rings);
    }
    for (std::size_t i = 0; i < workers_; ++i) lost_[i] = boxes_[i].letters() - served_[i];
  }

  static Explorer& explorer() { return Explorer::current(); }

  using Counts = std::array<std::uint64_t, kMost>;
  const Plan plan_;
  const std::size_t workers_ = plan_.workers;
  const Misuse misuse_;
  Bell bell_;
  Box boxes_[kMost] = {Box(bell_, 0), Box(bell_, 1)};
  Atomic<int> stop_{0};  // as a std::stop_token
  float letters_[kMost][2] = {}, replies_[kMost][2] = {};
  Counts laid_down_{};  // by the workers
  // The master's.
  typename Box::State states_[kMost] = {};
  Counts served_{}, pulls_{}, marks_{}, lost_{};
  std::size_t start_ = 0;
};

}  // namespace easgd::proof
