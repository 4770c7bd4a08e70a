// What the library of the CUDA side registers when it is loaded.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/device_list.h"
#include "backend/cuda/paths.h"

namespace easgd::cuda {
namespace {

const Registered<BackendKind> kRegistered(
    "cuda",
    {.make = [](const BackendOptions& options) { return std::make_unique<CudaBackend>(options); },
     .devices = list_devices,
     .free_memory = free_memory,
     .measure_paths = measure_paths,
     .open_peer = open_peer});

}  // namespace
}  // namespace easgd::cuda
