// The CUDA side of the program is a library of its own, libeasgd_cuda.so, loaded when a device is
// asked for: the program also starts without a driver and without NVIDIA's libraries.
//
// Its sums over devices, which need NCCL besides, are another one: libeasgd_nccl.so.
#pragma once

namespace easgd {

/// Whether this machine has NVIDIA's driver.
bool has_cuda_driver();

/// Loads the library if that has not been done; it registers the backend "cuda". From one
/// thread at a time.
/// Throws: DeviceError saying why it cannot be loaded.
void load_cuda();

/// The same for the sums over devices, which register as MakeCollective "cuda".
void load_nccl();

}  // namespace easgd
