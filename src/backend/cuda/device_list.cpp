#include "backend/cuda/device_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string>

#include "backend/cuda/check.h"
#include "backend/cuda/current_device.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {
namespace {

/// Which slot it is in, and which processor that belongs to.
std::string describe_slot(int index) {
  char slot[16] = "";
  check(cudaDeviceGetPCIBusId(slot, sizeof slot, index), "cudaDeviceGetPCIBusId");
  std::string path = slot;
  std::ranges::transform(path, path.begin(), [](unsigned char c) { return std::tolower(c); });
  std::ifstream file("/sys/bus/pci/devices/" + path + "/numa_node");
  int node = -1;
  file >> node;
  return node < 0 ? fmt::format("PCI {}", slot) : fmt::format("PCI {}, NUMA node {}", slot, node);
}

}  // namespace

int count_devices() {
  int count = 0;
  const cudaError_t answer = cudaGetDeviceCount(&count);
  if (answer == cudaErrorInsufficientDriver) {
    throw DeviceError(fmt::format("no CUDA device: no NVIDIA driver for CUDA {}.{} or later",
                                  CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10));
  }
  if (answer != cudaSuccess || count == 0) {
    throw DeviceError(fmt::format("no CUDA device: {}", answer == cudaSuccess
                                                            ? "the driver knows of none"
                                                            : cudaGetErrorString(answer)));
  }
  return count;
}

std::vector<Device> list_devices() {
  const int count = count_devices(), oldest = kernels::oldest_capability();
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp its;
    check(cudaGetDeviceProperties(&its, i), "cudaGetDeviceProperties");
    Device& device = devices.emplace_back();
    device.description =
        fmt::format("{}, {:.1f} GiB, compute capability {}.{}, {}", its.name,
                    double(its.totalGlobalMem) / (1 << 30), its.major, its.minor, describe_slot(i));
    if (10 * its.major + its.minor < oldest) {
      device.why_not = fmt::format(
          "its compute capability is {}.{}, and this program was built for {}.{} and later",
          its.major, its.minor, oldest / 10, oldest % 10);
    }
  }
  return devices;
}

std::size_t free_memory(int index) {
  const DeviceGuard guard(index);
  std::size_t free = 0, all = 0;
  check(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  return free;
}

}  // namespace easgd::cuda
