#include "backend/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <numeric>
#include <utility>

#include "backend/cuda/input.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {
namespace {

// Of a squared distance: so many threads sum it up, and each of the second so many of their sums.
constexpr std::size_t kParts = 65536, kSums = 256;

/// On a thread of CUDA's, where nothing of CUDA may be called.
void CUDART_CB call_posted(void* posted) {
  (*static_cast<std::function<void()>*>(posted))();
}

/// Which slot it is in, and which processor that belongs to.
std::string place_on_bus(int index) {
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

namespace {

std::vector<Device> list_devices() {
  const int count = count_devices(), oldest = kernels::oldest_capability();
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp its;
    check(cudaGetDeviceProperties(&its, i), "cudaGetDeviceProperties");
    Device& device = devices.emplace_back();
    device.description =
        fmt::format("{}, {:.1f} GiB, compute capability {}.{}, {}", its.name,
                    double(its.totalGlobalMem) / (1 << 30), its.major, its.minor, place_on_bus(i));
    if (10 * its.major + its.minor < oldest) {
      device.why_not = fmt::format(
          "its compute capability is {}.{}, and this program was built for {}.{} and later",
          its.major, its.minor, oldest / 10, oldest % 10);
    }
  }
  return devices;
}

}  // namespace

CudaBackend::CudaBackend(const BackendOptions& options) : index_(options.index) {
  if (const int count = count_devices(); index_ >= count) {
    throw DeviceError(
        fmt::format("cuda:{}: no CUDA device of this number; there are {}, from 0", index_, count));
  }
  enter();
  compute_ = make_stream(options.urgent ? "center" : "compute", options.urgent);
  transfer_ = make_stream("transfer");
  computed_ = make_event();
  arrived_ = make_event();
  for (Pause& pause : pauses_) pause = {make_timed_event(), make_timed_event()};
}

CudaBackend::~CudaBackend() {
  // What is in flight still reads and writes what is about to be freed.
  cudaStreamSynchronize(compute_);
  cudaStreamSynchronize(transfer_);
}

std::string CudaBackend::device() const {
  return fmt::format("cuda:{}", index_);
}

bool CudaBackend::can_hold(std::size_t bytes) const {
  return cuda::can_hold(bytes);
}

void CudaBackend::upload(ConstView host, View device) {
  copy(host.data(), device.data(), host.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "upload");
}

void CudaBackend::download(ConstView device, View host) {
  copy(device.data(), host.data(), device.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "download");
}

void CudaBackend::run(const kernels::Elementwise& kernel, std::size_t count) {
  enter();
  std::optional<Alone> alone;
  if (!loaded_[kernel.index()]) alone.emplace();
  loaded_.set(kernel.index());
  try {
    kernels::launch(kernel, count, compute_);
  } catch (const std::exception& e) {
    throw DeviceError(fmt::format("{}: an elementwise kernel: {}", device(), e.what()));
  }
}

void CudaBackend::start_download(ConstView device, View mailbox) {
  copy(device.data(), mailbox.data(), device.size_bytes(), compute_);
}

void CudaBackend::start_distance(ConstView x, ConstView c) {
  if (sums_.size() == 0) {
    sums_ = allocate(2 * (kParts + kSums));
    last_sums_ = allocate_mailbox(2 * kSums);
  }
  auto *parts = reinterpret_cast<double*>(sums_.data()), *sums = parts + kParts;
  run(kernels::SquaredDistance{parts, x.data(), c.data(), x.size(), kParts}, kParts);
  run(kernels::AddNeighbours{sums, parts, kParts / kSums}, kSums);
  copy(sums, last_sums_.data(), kSums * sizeof(double), compute_);
}

double CudaBackend::squared_distance() {
  check(cudaStreamSynchronize(compute_), "a squared distance");
  const auto* sums = reinterpret_cast<const double*>(last_sums_.data());
  return std::accumulate(sums, sums + kSums, 0.0);
}

void CudaBackend::post(ConstView x, ConstView statistics, View letter,
                       std::function<void()> posted) {
  if (statistics_.size() != statistics.size()) statistics_ = device_buffer(statistics.size());
  copy(statistics.data(), statistics_.data(), statistics.size_bytes(), compute_);
  check(cudaEventRecord(computed_, compute_), "cudaEventRecord");
  check(cudaStreamWaitEvent(transfer_, computed_), "cudaStreamWaitEvent");
  copy(x.data(), letter.data(), x.size_bytes(), transfer_);
  copy(statistics_.data(), letter.data() + x.size(), statistics.size_bytes(), transfer_);
  posted_ = std::move(posted);  // that of the letter before has been called: its reply has come
  check(cudaLaunchHostFunc(transfer_, call_posted, &posted_), "cudaLaunchHostFunc");
}

void CudaBackend::wait_posted() {
  // The pause before the last is over: the letter in between has waited for the work that follows
  // it.
  turn_ = (turn_ + 1) % pauses_.size();
  measure(pauses_[turn_]);
  check(cudaEventRecord(pauses_[turn_].from, compute_), "cudaEventRecord");
  check(cudaStreamSynchronize(transfer_), "a letter on its way");
}

void CudaBackend::measure(Pause& pause) {
  if (!std::exchange(pause.ended, false)) return;
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, pause.from, pause.to), "cudaEventElapsedTime");
  stood_still_ += 1e-3 * double(milliseconds);
}

ConstView CudaBackend::fetch(ConstView reply) {
  if (reply_.size() < reply.size()) reply_ = device_buffer(reply.size());
  // Nobody reads the reply before any more: the transfer lane has waited for that in `post`.
  copy(reply.data(), reply_.data(), reply.size_bytes(), transfer_);
  check(cudaEventRecord(arrived_, transfer_), "cudaEventRecord");
  check(cudaStreamWaitEvent(compute_, arrived_), "cudaStreamWaitEvent");
  check(cudaEventRecord(pauses_[turn_].to, compute_), "cudaEventRecord");
  pauses_[turn_].ended = true;
  return reply_.view().first(reply.size());
}

void CudaBackend::finish() {
  check(cudaStreamSynchronize(compute_), "compute stream");
  check(cudaStreamSynchronize(transfer_), "transfer stream");
  for (Pause& pause : pauses_) measure(pause);
}

namespace {
const Registered<BackendEntry> kRegistered("cuda", [](const BackendOptions& options) {
  return std::make_unique<CudaBackend>(options);
});
const Registered<DeviceList> kListed("cuda", {list_devices});
}  // namespace

}  // namespace easgd::cuda
