#include "backend/cuda/device_locks.h"

#include <array>
#include <shared_mutex>

#include "backend/cuda/current_device.h"
#include "base/check.h"

namespace easgd::cuda {
namespace {

std::shared_mutex any_device;  // shared by the holders of a DeviceSyncLock
thread_local int depth = 0;    // locks of this thread, one inside another

/// A machine with more devices has some share one.
std::recursive_mutex& mutex_of(int device) {
  static std::array<std::recursive_mutex, 64> mutexes;
  return mutexes[std::size_t(device) % mutexes.size()];
}

}  // namespace

DeviceSyncLock::DeviceSyncLock() : DeviceSyncLock(current_device()) {}

DeviceSyncLock::DeviceSyncLock(int device) : device_(mutex_of(device)) {
  if (depth == 0) any_device.lock_shared();
  ++depth;
  device_.lock();
}

DeviceSyncLock::~DeviceSyncLock() {
  device_.unlock();
  if (--depth == 0) any_device.unlock_shared();
}

AllDevicesLock::AllDevicesLock() {
  EASGD_CHECK(depth == 0, "a thread that holds the lock of a device, {} times", depth);
  any_device.lock();
  depth = 1;
}

AllDevicesLock::~AllDevicesLock() {
  depth = 0;
  any_device.unlock();
}

}  // namespace easgd::cuda
