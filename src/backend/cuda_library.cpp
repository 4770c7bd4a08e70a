#include "backend/cuda_library.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <filesystem>

#include "backend/backend_kind.h"
#include "backend/collective.h"
#include "base/error.h"

namespace easgd {
namespace {

/// Beside the program, above it (where tests are built), or where it is installed.
std::filesystem::path find_library(const char* name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* folder : {".", "..", "../lib/easgd"}) {
    const auto path = program / folder / name;
    if (std::filesystem::exists(path, error)) return path;
  }
  return {};
}

/// Never unloaded: what it has registered lies in it.
void load(const char* name, const std::string& without, const std::string& what) {
  const std::filesystem::path path = find_library(name);
  if (path.empty()) throw DeviceError(what + ": this program was built without " + without);
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) throw DeviceError(what + ": " + dlerror());
}

void check_registered(bool is, const char* name) {
  if (!is) throw DeviceError(find_library(name).string() + ": is not this program's library");
}

}  // namespace

bool has_cuda_driver() {
  return dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;
}

void load_cuda() {
  if (Registry<BackendKind>::find("cuda")) return;
  // As many queues as CUDA has: streams that share one wait for each other, and a worker has three.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  load("libeasgd_cuda.so", "CUDA", "no CUDA device");
  check_registered(Registry<BackendKind>::find("cuda"), "libeasgd_cuda.so");
}

void load_nccl() {
  if (Registry<MakeCollective>::find("cuda")) return;
  load_cuda();
  load("libeasgd_nccl.so", "NCCL", "no sums over devices");
  check_registered(Registry<MakeCollective>::find("cuda"), "libeasgd_nccl.so");
}

}  // namespace easgd
