#include "backend/cuda/alone.h"

#include <array>
#include <cassert>
#include <shared_mutex>

#include "backend/cuda/check.h"

namespace easgd::cuda {
namespace {

std::shared_mutex somewhere;  // shared by those who are alone on a device
thread_local int depth = 0;   // of this thread's, one in another

/// A machine with more devices has some share one.
std::recursive_mutex& mutex_of(int device) {
  static std::array<std::recursive_mutex, 64> mutexes;
  return mutexes[std::size_t(device) % mutexes.size()];
}

}  // namespace

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

Alone::Alone() : Alone(current_device()) {}

Alone::Alone(int device) : device_(mutex_of(device)) {
  if (depth == 0) somewhere.lock_shared();
  ++depth;
  device_.lock();
}

Alone::~Alone() {
  device_.unlock();
  if (--depth == 0) somewhere.unlock_shared();
}

AloneEverywhere::AloneEverywhere() {
  assert(depth == 0);
  somewhere.lock();
  depth = 1;
}

AloneEverywhere::~AloneEverywhere() {
  depth = 0;
  somewhere.unlock();
}

}  // namespace easgd::cuda
