// What a compiled network promises beyond right derivatives: fusion changes nothing, masks are functions
// of counters, short batches count right, teams agree, the step loop allocates nothing.
#include <doctest/doctest.h>
#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <set>
#include <thread>

#include "backend/backend.h"
#include "base/error.h"
#include "network_spec.h"
#include "random_batch.h"

namespace {
/// Allocations of the calling thread.
thread_local std::size_t allocations = 0;

void* counted(void* p) {
  ++allocations;
  if (!p) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(size ? size : 1)); }
void* operator new(std::size_t size, std::align_val_t align) {
  const auto a = std::size_t(align);
  return counted(std::aligned_alloc(a, (size + a - 1) / a * a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace easgd::testing {
namespace {

constexpr const char* kCifar =
    "conv channels=16 kernel=5; relu; maxpool; conv channels=32 kernel=5; relu; maxpool; "
    "conv channels=16 kernel=3; relu; dropout; linear outputs=32; relu; dropout; linear outputs=10";

struct Answer {
  std::vector<float> gradient;
  Tally tally;
};

/// A model on a thread and team of its own, as a worker has it.
template <class Function>
void on_cpu(std::size_t cores, const Function& f) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      BackendOptions options;
      // A team larger than the machine is slow, but not wrong.
      for (std::size_t i = 0; i < cores; ++i) options.cores.push_back(int(i % usable_cores()));
      f(*(*Registry<BackendEntry>::find("cpu"))(options));
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}
