// Brings the loss and the rank of each sample of a batch to the host, where they are added up in a
// fixed order, some batches late.
#pragma once

#include <deque>
#include <vector>

#include "backend/cuda/device_array.h"
#include "backend/tally.h"

namespace easgd::cuda {

class LossReadback {
 public:
  /// For batches of up to `batch` samples, written by work of `stream`, which outlives this.
  LossReadback(std::size_t batch, cudaStream_t stream);

  double* losses() const;       ///< [N], on the device
  std::int32_t* ranks() const;  ///< [N], on the device: see Tally::add

  /// Sends them on their way, after the work that writes them has been given to the stream.
  void send(int samples);
  /// The sum of those that have arrived since it was last taken.
  Tally take();
  void give_back(const Tally& tally) { tally_ += tally; }

 private:
  struct Flight {
    PinnedArray<std::byte> pinned;
    Event arrived;
    int samples = 0;
  };
  void harvest(bool wait);

  const std::size_t batch_;
  const cudaStream_t stream_;
  DeviceArray<std::byte> device_;
  std::deque<Flight> in_flight_;
  std::vector<Flight> idle_;
  Tally tally_;
};

}  // namespace easgd::cuda
