// Work that is the same every time, launched as one piece: recorded once as a CUDA graph.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/stream.h"

namespace easgd::cuda {

using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

class Graphs {
 public:
  /// The addresses that decide what the work does.
  using Key = std::array<const void*, 5>;

  explicit Graphs(cudaStream_t stream) : stream_(stream) {}

  /// Gives the stream `work`, which for the same key is always the same and gives it to nobody
  /// else: the first time by calling it, which lets libraries load what they need; then it is
  /// recorded, and from then on launched without a call. Of more than a few keys only the first
  /// are. A record that something else in the process has ruined is tried again the next time.
  /// Throws: DeviceError; what `work` throws.
  void run(const Key& key, const std::function<void()>& work);

 private:
  struct Recorded {
    Key key;
    GraphExec graph;  ///< empty before the second time
    int ruined = 0;   ///< records
  };
  GraphExec record(const std::function<void()>& work);

  const cudaStream_t stream_;
  std::vector<Recorded> recorded_;
  std::string why_;  ///< the first record was ruined
};

}  // namespace easgd::cuda
