// Sums over devices by NCCL. The master alone starts them, for all devices at once, so no worker is
// ever inside one; and what a device that has failed will never send is given up together with the
// communicator.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nccl.h>

#include <chrono>
#include <thread>
#include <vector>

#include "backend/collective.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"
#include "base/check.h"
#include "base/error.h"

namespace easgd::cuda {
namespace {

/// Aborting a communicator stops what is under way and destroys it.
using Communicator = Handle<ncclComm_t, ncclCommAbort>;

void check(ncclResult_t answer, const char* call) {
  if (answer == ncclSuccess || answer == ncclInProgress) return;
  throw DeviceError(fmt::format("NCCL: {}: {}", call, ncclGetErrorString(answer)));
}

class NcclCollective final : public Collective {
 public:
  explicit NcclCollective(std::span<Backend* const> backends) {
    std::vector<int> devices;
    for (Backend* backend : backends) {
      auto* const cuda_backend = dynamic_cast<CudaBackend*>(backend);
      EASGD_CHECK(cuda_backend, "{}, over which NCCL does not add up", backend->device());
      backends_.push_back(cuda_backend);
      devices.push_back(cuda_backend->index());
    }
    const AllDevicesLock lock;
    std::vector<ncclComm_t> made(devices.size());
    check(ncclCommInitAll(made.data(), int(devices.size()), devices.data()), "ncclCommInitAll");
    for (const ncclComm_t communicator : made) *communicators_.emplace_back().put() = communicator;
  }

  void sum(std::span<const ConstView> terms, std::span<const View> sums) override {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (!terms[i].empty()) continue;
      const DeviceGuard guard(backends_[i]->index());
      cuda::check(cudaMemsetAsync(sums[i].data(), 0, sums[i].size_bytes(), backends_[i]->compute()),
                  "cudaMemsetAsync");
    }
    const AllDevicesLock lock;
    check(ncclGroupStart(), "ncclGroupStart");
    ncclResult_t answer = ncclSuccess;
    for (std::size_t i = 0; i < sums.size() && answer == ncclSuccess; ++i) {
      const float* term = terms[i].empty() ? sums[i].data() : terms[i].data();
      answer = ncclAllReduce(term, sums[i].data(), sums[i].size(), ncclFloat, ncclSum,
                             communicators_[i], backends_[i]->compute());
    }
    const ncclResult_t end = ncclGroupEnd();  // in an open group nothing is aborted
    check(answer, "ncclAllReduce");
    check(end, "ncclGroupEnd");
  }

  void finish() override {
    const auto start = std::chrono::steady_clock::now();
    while (!ready()) {
      if (std::chrono::steady_clock::now() - start > longest) {
        throw DeviceError(
            fmt::format("NCCL: a sum over devices has not ended for {}; "
                        "center.place = \"pinned\" does without",
                        std::chrono::duration<double>(longest)));
      }
      for (const Communicator& communicator : communicators_) {
        ncclResult_t state = ncclSuccess;
        check(ncclCommGetAsyncError(communicator, &state), "ncclCommGetAsyncError");
        check(state, "a sum over devices");
      }
      std::this_thread::yield();
    }
  }

 private:
  bool ready() const {
    bool all = true;
    for (const CudaBackend* backend : backends_) {
      const DeviceGuard guard(backend->index());
      const cudaError_t answer = cudaStreamQuery(backend->compute());
      if (answer != cudaErrorNotReady) {
        cuda::check(answer, "a sum over devices");
      } else {
        cudaGetLastError();
        all = false;
      }
    }
    return all;
  }

  std::vector<CudaBackend*> backends_;
  std::vector<Communicator> communicators_;
};

const Registered<MakeCollective> kRegistered("cuda", [](std::span<Backend* const> backends) {
  return std::make_unique<NcclCollective>(backends);
});

}  // namespace
}  // namespace easgd::cuda
