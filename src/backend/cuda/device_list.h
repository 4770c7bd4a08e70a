// The CUDA devices of this machine.
#pragma once

#include <vector>

#include "backend/backend_kind.h"

namespace easgd::cuda {

/// How many CUDA devices there are.
/// Throws: DeviceError saying why there is none.
int count_devices();

/// All of them, also those that this program cannot use.
/// Throws: DeviceError saying why there is none.
std::vector<Device> list_devices();

/// Bytes of a device's memory that nobody has taken.
/// Throws: DeviceError.
std::size_t free_memory(int index);

}  // namespace easgd::cuda
