// Writes checkpoints beside training.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "exchange/checkpoint.h"

namespace easgd {

/// Thread: main's, but for what it calls.
class CheckpointKeeper {
 public:
  /// `write` is called on a thread of its own, for one checkpoint at a time; it throws nothing.
  /// Throws: DeviceError if the system has no thread left.
  explicit CheckpointKeeper(std::function<void(Checkpoint)> write);
  /// Waits for what is being written.
  ~CheckpointKeeper();
  CheckpointKeeper(const CheckpointKeeper&) = delete;

  bool is_busy() const;
  /// To be written while others go on; not while it is busy.
  void keep(Checkpoint checkpoint);
  /// Sleeps until nothing is being written.
  void wait() const;

 private:
  void run();

  std::function<void(Checkpoint)> write_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Checkpoint> next_;
  bool busy_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace easgd
