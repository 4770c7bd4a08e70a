#include "backend/cuda/graphs.h"

#include <algorithm>

namespace easgd::cuda {
namespace {

constexpr std::size_t kMost = 8;  // a model has one for each place of its input

}  // namespace

GraphExec Graphs::record(const std::function<void()>& work) const {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  Graph graph;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_, graph.place());
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream_, graph.place()), "cudaStreamEndCapture");
  GraphExec result;
  check(cudaGraphInstantiate(result.place(), graph, 0), "cudaGraphInstantiate");
  return result;
}

void Graphs::run(const Key& key, const std::function<void()>& work) {
  const auto known = std::ranges::find(recorded_, key, &Recorded::key);
  if (known == recorded_.end()) {
    work();
    if (recorded_.size() < kMost) recorded_.push_back({key, {}});
    return;
  }
  if (!known->graph) known->graph = record(work);
  check(cudaGraphLaunch(known->graph, stream_), "cudaGraphLaunch");
}

}  // namespace easgd::cuda
