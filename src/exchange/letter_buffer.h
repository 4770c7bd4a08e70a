// Where one worker's letters and replies lie for the center, and how they get there and back.
#pragma once

#include "base/view.h"
#include "exchange/center_store.h"
#include "exchange/mailbox.h"

namespace easgd {

/// Which way letters and replies go between a worker and the center.
enum class Route {
  host,    ///< both are in host memory, as the center is
  peer,    ///< both are in the memory of the center's device, and the worker's device copies there
  staged,  ///< both are in host memory, from where the master copies to the center's device
};

/// Thread: the master's.
class LetterBuffer {
 public:
  struct Options {
    Route route = Route::host;
    std::size_t parameters = 0;  ///< P
    std::size_t statistics = 0;  ///< S
    bool sends_change = false;   ///< of the algorithm
  };

  /// Before the worker is made: a route by peer copy lends the mailbox memory of the replica's
  /// device. The replica and the mailbox outlive this.
  LetterBuffer(const Options& options, CenterReplica& replica, Mailbox& mailbox);
  /// Once the worker is made, and again for an heir of its seat, on the route through the host: the
  /// mailbox's memory is used as it is.
  void open(Mailbox& mailbox);

  /// Begins to bring the posted letter to the center, and to measure how far it is from there.
  void start_fetch();
  /// Waits for that. Not finite if an element of the letter is not.
  double squared_distance() { return replica_.backend->squared_distance(); }
  /// The reply to where the worker finds it.
  void deliver_reply();

  ConstView letter() const { return letter_; }          ///< [P]
  View reply() const { return reply_; }                 ///< [P]
  ConstView statistics() const { return statistics_; }  ///< [S] in host memory
  CenterReplica& replica() const { return replica_; }

 private:
  const Options options_;
  CenterReplica& replica_;
  Mailbox* mailbox_;
  Buffer lent_;  // [2 (P + S)], of the replica's device, to the mailbox or to copy to and from it
  View letter_, reply_;
  Buffer statistics_;
};

}  // namespace easgd
