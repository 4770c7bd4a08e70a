#include "backend/cuda/current_device.h"

#include "backend/cuda/check.h"

namespace easgd::cuda {

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

void set_device(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
}

// Nothing is set for a thread that is there already: to set a device may wake it.
DeviceGuard::DeviceGuard(int device) : before_(current_device()), device_(device) {
  if (before_ != device_) set_device(device_);
}

DeviceGuard::~DeviceGuard() {
  if (before_ != device_) cudaSetDevice(before_);
}

}  // namespace easgd::cuda
