#include "backend/cuda/graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kMost = 8;  // a model has one for each place of its input
constexpr int kMostRuined = 3;

}  // namespace

/// Empty where the record was ruined. Of a thread that is alone.
GraphExec Graphs::record(const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  Graph graph;
  try {
    work();
  } catch (const std::exception& e) {
    if (why_.empty()) why_ = e.what();
    const cudaError_t end = cudaStreamEndCapture(stream_, graph.place());
    cudaGetLastError();
    if (end == cudaErrorStreamCaptureInvalidated) return {};
    throw;
  }
  const cudaError_t end = cudaStreamEndCapture(stream_, graph.place());
  if (end == cudaErrorStreamCaptureInvalidated) {
    cudaGetLastError();
    if (why_.empty()) why_ = cudaGetErrorString(end);
    return {};
  }
  check(end, "cudaStreamEndCapture");
  GraphExec result;
  check(cudaGraphInstantiate(result.place(), graph, 0), "cudaGraphInstantiate");
  return result;
}

void Graphs::run(const Key& key, const std::function<void()>& work) {
  const auto known = std::ranges::find(recorded_, key, &Recorded::key);
  if (known == recorded_.end()) {
    const Alone alone;
    work();
    if (recorded_.size() < kMost) recorded_.push_back({key, {}});
    return;
  }
  std::optional<Alone> alone;
  if (!known->graph) {
    alone.emplace();  // until it has been launched once, which loads it
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
