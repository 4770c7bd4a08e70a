// Loss and hits of each sample of a batch on their way to the host, where they are added up in a
// fixed order, some batches late.
#pragma once

#include <deque>
#include <vector>

#include "backend/cuda/stream.h"
#include "backend/tally.h"

namespace easgd::cuda {

class Counts {
 public:
  /// For batches of up to `batch` samples, written by work of `stream`, which outlives this.
  Counts(std::size_t batch, cudaStream_t stream);

  double* losses() const;      ///< [N], on the device
  std::int32_t* hits() const;  ///< [N], on the device

  /// Sends them on their way, after the work that writes them has been given to the stream.
  void send(int samples);
  /// The sum of those that have arrived since it was last taken.
  Tally take();

 private:
  struct Flight {
    Buffer pinned;
    Event arrived;
    int samples = 0;
  };
  void harvest(bool wait);

  const std::size_t batch_;
  const cudaStream_t stream_;
  Buffer counts_;
  std::deque<Flight> in_flight_;
  std::vector<Flight> idle_;
  Tally tally_;
};

}  // namespace easgd::cuda
