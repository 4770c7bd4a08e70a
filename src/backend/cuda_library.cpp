#include "backend/cuda_library.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <filesystem>

#include "backend/backend.h"
#include "base/error.h"

namespace easgd {
namespace {

/// Beside the program, above it (where tests are built), or where it is installed.
std::filesystem::path find_library() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {".", "..", "../lib/easgd"}) {
    const auto path = program / place / "libeasgd_cuda.so";
    if (std::filesystem::exists(path, error)) return path;
  }
  return {};
}

}  // namespace

void load_cuda() {
  if (Registry<BackendEntry>::find("cuda")) return;
  const std::filesystem::path path = find_library();
  if (path.empty()) throw DeviceError("no CUDA device: this program was built without CUDA");
  // As many queues as CUDA has: streams that share one wait for each other, and a worker has three.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  // Never unloaded: what it has registered lies in it.
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    throw DeviceError(std::string("no CUDA device: ") + dlerror());
  }
}

}  // namespace easgd
