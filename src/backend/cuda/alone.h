// Who may wait for a whole device, and when.
//
// Giving memory back, the first launch of a kernel, libraries that begin or end: such calls may wait
// until a device has done all its work. Two things do not bear that: a graph that is being recorded
// there, and a sum over devices that has been started on some of them and not yet on the others.
#pragma once

#include <mutex>

namespace easgd::cuda {

/// Of the calling thread.
/// Throws: DeviceError.
int current_device();

/// While one lives, its thread may wait for a device, or record a graph there: no other thread does
/// either, and none starts a sum. May be nested. Threads of different devices do not wait for each
/// other here; page-locked memory, which every device can read, counts as that of the current one.
class Alone {
 public:
  /// On the current device.
  /// Throws: DeviceError.
  Alone();
  explicit Alone(int device);  ///< throws nothing
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::recursive_mutex& device_;
};

/// While one lives, its thread may start a sum: no other thread is alone anywhere. May not be made
/// where the thread is alone already, and may have others nested in it.
class AloneEverywhere {
 public:
  AloneEverywhere();
  ~AloneEverywhere();
  AloneEverywhere(const AloneEverywhere&) = delete;
  AloneEverywhere& operator=(const AloneEverywhere&) = delete;
};

}  // namespace easgd::cuda
