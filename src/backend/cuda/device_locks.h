// Who may wait for a whole device, and when.
//
// Giving memory back, the first launch of a kernel, libraries that begin or end: such calls may
// wait until a device has done all its work. Two things do not bear that: a graph that is being
// recorded there, and a sum over devices that has been started on some of them and not yet on the
// others.
#pragma once

#include <mutex>

namespace easgd::cuda {

/// Lock of one device, held around whatever may wait for all of it, and while a graph is recorded
/// there. May be nested. Threads of different devices do not wait for each other. Page-locked
/// memory, which every device can read, counts as that of the current device.
class DeviceSyncLock {
 public:
  /// Of the current device.
  /// Throws: DeviceError.
  DeviceSyncLock();
  explicit DeviceSyncLock(int device);  ///< throws nothing
  ~DeviceSyncLock();
  DeviceSyncLock(const DeviceSyncLock&) = delete;
  DeviceSyncLock& operator=(const DeviceSyncLock&) = delete;

 private:
  std::recursive_mutex& device_;
};

/// Exclusive lock over all devices, held while an all-reduce is launched: no other thread holds a
/// DeviceSyncLock of any device. The thread must hold neither kind already; inside it may take
/// DeviceSyncLocks.
class AllDevicesLock {
 public:
  /// Throws: Bug if the thread holds a lock already, which would wait for itself.
  AllDevicesLock();
  ~AllDevicesLock();
  AllDevicesLock(const AllDevicesLock&) = delete;
  AllDevicesLock& operator=(const AllDevicesLock&) = delete;
};

}  // namespace easgd::cuda
