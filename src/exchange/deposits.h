// Where a checkpoint comes together, while nobody waits for it.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "exchange/checkpoint.h"

namespace easgd {

/// Whose life lays down. What one leaves that has failed counts for nothing, however late its
/// thread comes with it.
struct Depositor {
  std::size_t worker = 0;
  std::uint64_t before = 0;  ///< lives of the worker before this one that have failed
};

/// One checkpoint at a time. Nobody takes the lock but when a checkpoint is made, or a worker
/// leaves.
class Deposits {
 public:
  explicit Deposits(std::size_t workers) : seats_(workers) {}

  /// From the master's thread: some have not laid down yet.
  bool is_gathering() const;
  /// From the master's thread: the one that was begun last has been given up, and is none.
  bool has_given_up() const;
  /// From the master's thread: the worker has not laid down yet.
  bool owes(std::size_t worker) const;
  /// From the master's thread, between two rounds: begins a checkpoint, and gives up one that is
  /// not whole yet. Returns its mark, above 0, with which workers lay down.
  std::uint64_t begin(Checkpoint center);

  /// From the worker's thread. A mark of an earlier checkpoint, or a second time, is passed over.
  void lay_down(Depositor by, std::uint64_t mark, SavedState replica);
  /// From the worker's thread: there will be no further letter of it but its last one.
  void leave(Depositor by, SavedState replica);
  /// From any thread: a worker's life has failed whose letter was answered with `mark`. If it has
  /// not laid down for that, the checkpoint is given up: the letter has come after it, and nobody
  /// could post it again. The last one of the run is kept all the same.
  void fail(std::size_t worker, std::uint64_t mark);
  /// Before a letter of the worker is answered: nobody is to go on from that letter. If the
  /// checkpoint would have it, it is given up; the last one of the run is kept all the same.
  void spoil(std::size_t worker);
  /// From the master's thread: the checkpoint does not wait for a worker any longer, unless it is
  /// the last one of the run, and has that instead of its replica.
  void stand_in(std::size_t worker, SavedState remains);
  /// From any thread: its last life has failed and leaves nothing, whatever was its last letter.
  void lose(std::size_t worker);
  /// From any thread: it is gone, and that is what is left of it.
  void bequeath(std::size_t worker, SavedState remains);

  /// From any thread: the newest checkpoint that is whole and not the last of the run, once. It
  /// stays there to be taken while others begin.
  std::optional<Checkpoint> take();
  /// The last of the run.
  std::optional<Checkpoint> take_last();

 private:
  struct Seat {
    bool owes = false;  ///< has not laid down for the checkpoint that is being made
    bool left = false;
    std::uint64_t failed = 0;             ///< lives
    std::optional<SavedState> last = {};  ///< of one that has left
  };
  bool counts(Depositor by) const { return seats_[by.worker].failed == by.before; }
  void put_last(std::size_t worker, SavedState replica);
  void give_up_unless_last();
  void put(std::size_t worker, SavedState replica);
  bool is_whole() const;

  mutable std::mutex mutex_;
  std::vector<Seat> seats_;
  std::uint64_t mark_ = 0;
  bool gave_up_ = false;  // the one that was begun last
  std::optional<Checkpoint> checkpoint_;
  std::optional<Checkpoint> before_;  // whole, and not taken when checkpoint_ began
};

}  // namespace easgd
