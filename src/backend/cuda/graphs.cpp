#include "backend/cuda/graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"
#include "base/error.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kMost = 8;  // a model has one for each slot of its input
constexpr int kMostRuined = 3;

}  // namespace

/// Empty if the record was ruined. The caller holds the device's lock.
GraphExec Graphs::record(const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  Graph graph;
  try {
    work();
  } catch (const std::exception& e) {
    if (why_.empty()) why_ = e.what();
    const cudaError_t end = cudaStreamEndCapture(stream_, graph.put());
    cudaGetLastError();
    if (end == cudaErrorStreamCaptureInvalidated) return {};
    throw;
  }
  const cudaError_t end = cudaStreamEndCapture(stream_, graph.put());
  if (end == cudaErrorStreamCaptureInvalidated) {
    cudaGetLastError();
    if (why_.empty()) why_ = cudaGetErrorString(end);
    return {};
  }
  check(end, "cudaStreamEndCapture");
  GraphExec result;
  check(cudaGraphInstantiate(result.put(), graph, 0), "cudaGraphInstantiate");
  return result;
}

void Graphs::run(const Key& key, const std::function<void()>& work) {
  const auto known = std::ranges::find(recorded_, key, &Recorded::key);
  if (known == recorded_.end()) {
    const DeviceSyncLock lock;
    work();
    if (recorded_.size() < kMost) recorded_.push_back({key, {}});
    return;
  }
  std::optional<DeviceSyncLock> lock;
  if (!known->graph) {
    lock.emplace();  // until it has been launched once, which loads it
    known->graph = record(work);
  }
  if (!known->graph) {
    if (++known->ruined > kMostRuined) {
      throw DeviceError(
          fmt::format("cuda:{}: a CUDA graph cannot be recorded (workers.graphs = false does "
                      "without): {}",
                      current_device(), why_));
    }
    return work();
  }
  check(cudaGraphLaunch(known->graph, stream_), "cudaGraphLaunch");
}

}  // namespace easgd::cuda
