#include "train/checkpoint_keeper.h"

#include <utility>

#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {

CheckpointKeeper::CheckpointKeeper(std::function<void(Checkpoint)> write)
    : write_(std::move(write)), thread_(start_thread("the keeper", [this] { run(); })) {}

CheckpointKeeper::~CheckpointKeeper() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool CheckpointKeeper::is_busy() const {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void CheckpointKeeper::keep(Checkpoint checkpoint) {
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(checkpoint);
    busy_ = true;
  }
  changed_.notify_all();
}

void CheckpointKeeper::wait() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_; });
}

void CheckpointKeeper::run() {
  name_thread("keeper");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return next_ || ending_; });
    if (!next_) return;
    Checkpoint checkpoint = *std::exchange(next_, std::nullopt);
    lock.unlock();
    {
      const TraceScope range("write checkpoint");
      write_(std::move(checkpoint));
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace easgd
