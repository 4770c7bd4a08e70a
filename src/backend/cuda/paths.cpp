#include "backend/cuda/paths.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <future>
#include <vector>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_list.h"
#include "backend/cuda/stream.h"
#include "kernels/philox.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kProbe = (std::size_t{4} << 20) / sizeof(float) + 1;  // floats
constexpr std::size_t kTimed = (std::size_t{64} << 20) / sizeof(float);
constexpr int kCopies = 8;

/// Work that goes from device to device, on a thread of its own: the calling one keeps the device
/// that it has, and if it has none yet, none is woken for it.
auto on_own_thread(const auto& work) {
  return std::async(std::launch::async, work).get();
}

/// A piece of memory, and the stream that copies from it.
struct Endpoint {
  int device = -1;  ///< -1: the host
  Buffer memory;
  Stream stream;

  Endpoint(int index, std::size_t count) : device(index) {
    set_device(std::max(index, 0));
    memory = index < 0 ? pinned_buffer(count) : device_buffer(count);
    stream = make_stream("probe");
  }
  std::string name() const { return device < 0 ? "host" : "cuda:" + std::to_string(device); }
};

void send(const Endpoint& by, const Buffer& from, const Buffer& to) {
  set_device(std::max(by.device, 0));
  copy(from.data(), to.data(), from.size() * sizeof(float), by.stream);
  check(cudaStreamSynchronize(by.stream), "a copy between devices");
}

bool same_bits(const Buffer& a, const Buffer& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Bits of every kind there and back, by `from`'s stream; read at `to` by its own as well.
bool is_exact(int from, int to) {
  const Endpoint here(from, kProbe), there(to, kProbe);
  const Endpoint back(from, kProbe);
  const Buffer sent = pinned_buffer(kProbe), seen = pinned_buffer(kProbe),
               returned = pinned_buffer(kProbe);
  const kernels::Random random{1, kernels::Stream::synthetic_data};
  for (std::size_t i = 0; i < kProbe; ++i) {
    const std::uint32_t bits = random.at(0, std::uint32_t(i / 4)).value[i % 4];
    std::memcpy(sent.data() + i, &bits, sizeof bits);
  }
  send(here, sent, here.memory);
  send(here, here.memory, there.memory);
  send(there, there.memory, seen);
  send(here, there.memory, back.memory);
  send(here, back.memory, returned);
  return same_bits(sent, seen) && same_bits(sent, returned);
}

double speed_of(const Endpoint& from, const Endpoint& to) {
  const Endpoint& by = from.device < 0 ? to : from;
  send(by, from.memory, to.memory);  // warm
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCopies; ++i) {
    copy(from.memory.data(), to.memory.data(), from.memory.size() * sizeof(float), by.stream);
  }
  check(cudaStreamSynchronize(by.stream), "a copy between devices");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return kCopies * double(from.memory.size() * sizeof(float)) / took.count();
}

bool can_access(int from, int to) {
  int can = 0;
  check(cudaDeviceCanAccessPeer(&can, from, to), "cudaDeviceCanAccessPeer");
  return can != 0;
}

/// Expects two different devices.
bool try_peer(int from, int to) {
  if (!can_access(from, to)) return false;
  set_device(from);
  const cudaError_t answer = cudaDeviceEnablePeerAccess(to, 0);
  cudaGetLastError();
  if (answer != cudaSuccess && answer != cudaErrorPeerAccessAlreadyEnabled) return false;
  try {
    if (is_exact(from, to)) return true;
  } catch (...) {
    set_device(from);
    cudaDeviceDisablePeerAccess(to);
    throw;
  }
  set_device(from);
  check(cudaDeviceDisablePeerAccess(to), "cudaDeviceDisablePeerAccess");
  return false;
}

std::vector<DevicePath> measure_all() {
  const int count = count_devices();
  std::vector<DevicePath> paths;
  for (int from = -1; from < count; ++from) {
    for (int to = -1; to < count; ++to) {
      if (from == to) continue;
      const bool peer = from >= 0 && to >= 0 && try_peer(from, to);
      const Endpoint source(from, kTimed), target(to, kTimed);
      paths.push_back({source.name(), target.name(), peer,
                       peer || is_exact(from < 0 ? to : from, from < 0 ? -1 : to),
                       speed_of(source, target)});
    }
  }
  return paths;
}

}  // namespace

std::vector<DevicePath> measure_paths() {
  return on_own_thread(measure_all);
}

bool open_peer(int from, int to) {
  return from == to || on_own_thread([=] { return try_peer(from, to); });
}

}  // namespace easgd::cuda
