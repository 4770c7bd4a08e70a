// Which device the calling thread works on. CUDA keeps one for each thread: memory, events and
// kernels are made there.
#pragma once

namespace easgd::cuda {

/// Of the calling thread.
/// Throws: DeviceError.
int current_device();

/// Makes it the thread's device from now on.
/// Throws: DeviceError.
void set_device(int device);

/// While one lives, the thread works on `device`; then on the one before again. A thread may have
/// several backends, so whatever belongs to one begins with a guard.
class DeviceGuard {
 public:
  /// Throws: DeviceError.
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  const int before_, device_;
};

}  // namespace easgd::cuda
