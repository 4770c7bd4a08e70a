// The CUDA side of the program is a library of its own, libeasgd_cuda.so, loaded when a device is
// asked for: the program starts where neither a driver nor NVIDIA's libraries are.
#pragma once

namespace easgd {

/// Loads the library, where that has not been done; it registers the backend "cuda". From one
/// thread at a time.
/// Throws: DeviceError saying why it cannot be loaded.
void load_cuda();

}  // namespace easgd
