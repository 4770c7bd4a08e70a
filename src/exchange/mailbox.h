// The exchange between a worker and the master.
//
//   worker                        mailbox                       master
//   copy x -> letter
//   post()            idle  --->  posted   ---->  letter read, reply written
//   gradient ...                  answered <----  answer()
//   wait_for_reply()
//   step with reply
//   release()         idle  <---
//
// A letter is what a parameter server calls a push, and a reply what it sends back.
//
// One writer at a time: the letter belongs to the worker until `posted`, then to the master until
// `answered`; the reply the other way round. Each change of hands is one read-modify-write of
// `state_`, released there and acquired by who reads it. Nobody takes a lock; whoever has to wait
// sleeps on the atomic. The suite `proof` goes through every state of this, of small scenarios.
//
// A worker that ends for whatever reason calls leave(): the master stops counting on it. A master
// that fails calls close(): no worker waits for it any more. A worker that has left stays so.
//
// A worker that does not move is given up from a third thread, in two steps. withdraw(): if no
// letter is out, or the master has gone, there will be none any more; the worker, should it come
// back, finds what it finds when the master has gone. So what the center has of it stands still,
// and it can be decided what follows. abandon(): the master stops counting on it.
//
// Who has left or was abandoned may have an heir: whoever takes its seat has a mailbox of its own.
#pragma once

#include <cstdint>

#include "algorithms/algorithm.h"
#include "base/atomic.h"
#include "base/view.h"

namespace easgd {

/// Rung when there may be something new for the master to see: an eventcount.
class Bell {
 public:
  /// To be read before looking around, and given to `wait` when nothing was found.
  int rings() const { return rings_.load(std::memory_order_acquire); }
  /// Released would do for what the ringer has written; for who sleeps see Mailbox::change.
  void ring() {
    rings_.fetch_add(1, std::memory_order_seq_cst);
    rings_.notify_one();
  }
  /// Sleeps until the bell has been rung since `seen`.
  void wait(int seen) const { rings_.wait(seen, std::memory_order_acquire); }

 private:
  Atomic<int> rings_{0};
};

struct Member;

/// What a worker comes for.
enum class Visit {
  letter,
  pull,   ///< no letter, but a request for the center
  begin,  ///< no letter, but a request for a center to begin again from, after a failure
};

/// What travels beside a letter.
struct LetterNote {
  Rates rates;              ///< of the worker's clock
  std::uint64_t clock = 0;  ///< steps of the worker that are in the letter
  Tally tally;              ///< training loss since its last letter
  Visit visit = Visit::letter;
};

class Mailbox {
 public:
  /// The worker's turn, the master's, the worker's again; then for good: its worker or its master
  /// has gone, or its worker is given up, and what follows is being decided, or is decided.
  enum class State : int { idle, posted, answered, left, closed, withdrawn, abandoned };
  /// What the answer holds: nothing, a reply, the center to start again from after a letter that
  /// was refused or a failure, or that there will be no more.
  enum class Reply { none, values, restart, closed };

  /// `worker`: whose it is, for messages.
  explicit Mailbox(Bell& bell, std::size_t worker = 0) : bell_(bell), worker_(worker) {}
  std::size_t worker() const { return worker_; }

  // The worker's side. post() may come from any thread that the backend chooses.

  /// Lends memory [P + S] each, from before the first letter until leave() returns: the worker's
  /// own, or, before the worker is made, that of a center on a device.
  void attach(View letter, View reply) { letter_ = letter, reply_ = reply; }
  View letter() const { return letter_; }
  ConstView reply() const { return reply_; }
  LetterNote& note() { return note_; }
  /// Of the checkpoint whose center does not hold the letter that was answered; else 0, or a mark
  /// that the worker has seen.
  std::uint64_t mark() const { return mark_; }
  void post();
  /// Sleeps until the master has answered. Returns at once with `none` if no letter is out.
  Reply wait_for_reply();
  /// Nobody waits for this worker any more.
  bool is_given_up() const { return is_given_up(state()); }
  /// Takes the mailbox back after the reply has been used.
  void release();
  /// Waits for a letter that is out to be answered, then lets the master know that there will be no
  /// other, and who takes the seat; null: nobody.
  void leave(const Member* heir = nullptr);

  // The master's side.
  State state() const { return state_.load(std::memory_order_acquire); }
  ConstView letter_to_read() const { return letter_; }
  const LetterNote& note_to_read() const { return note_; }
  View reply_to_write() { return reply_; }
  /// Letters posted so far, other visits not counted.
  std::uint64_t letters() const { return letters_; }
  void answer(Reply kind, std::uint64_t mark = 0);
  void close();
  /// Once the worker has left or was abandoned; null if nobody takes its seat.
  const Member* heir() const { return heir_; }

  // A third thread, which no other gives up a worker beside, and which the worker does not leave
  // beside.

  /// Unless a letter is out or the worker has left: there will be no other. Returns whether it is
  /// so.
  bool withdraw();
  /// After that: lets the master know, and who takes the seat.
  void abandon(const Member* heir);

 private:
  static bool is_given_up(State seen) {
    return seen == State::withdrawn || seen == State::abandoned;
  }
  /// Moves from `from` on if the state is that; returns what it was.
  State change(State from, State to);

  View letter_, reply_;
  LetterNote note_;
  std::uint64_t letters_ = 0;
  Reply kind_ = Reply::none;
  std::uint64_t mark_ = 0;
  const Member* heir_ = nullptr;
  Atomic<State> state_{State::idle};
  Bell& bell_;
  const std::size_t worker_;
};

const char* to_string(Mailbox::State state);

}  // namespace easgd
