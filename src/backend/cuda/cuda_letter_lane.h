// Letters of a worker on a CUDA device: a stream of their own, and events between it and the
// compute stream.
//
//   compute    gradient, fused passes         transfer   letter out, reply in
//   post:      [parts aside]    --event-->    letter -> host memory -> posted() by CUDA's thread
//   fetch:     ... waits       <--event--     reply -> device memory
//
// The host never waits on either stream, with one exception: before it looks for a reply it waits
// until the letter has been copied out, because a failed device would never run the callback.
#pragma once

#include <array>

#include "backend/cuda/stream.h"
#include "backend/letter_lane.h"

namespace easgd::cuda {

class CudaLetterLane final : public LetterLane {
 public:
  /// Of the current device, beside its compute stream, which outlives the lane.
  explicit CudaLetterLane(cudaStream_t compute);
  /// Waits for what is under way, which reads and writes memory that others are about to free.
  ~CudaLetterLane() override;

  void post(std::span<const ConstView> parts, View to, std::function<void()> posted) override;
  void wait_posted() override;
  ConstView fetch(ConstView reply) override;
  std::optional<double> reply_stall_seconds() const override { return stall_seconds_; }

  /// Waits for the stream, and says how that ended.
  cudaError_t wait();
  /// Adds up the pauses that are over. The compute stream has been waited for.
  void measure_pauses();

 private:
  /// When the compute stream had done all it could without a reply, and when it went on.
  struct Pause {
    Event from, to;
    bool ended = false;  ///< `to` is recorded
  };

  void measure(Pause& pause);
  View reserve_aside(std::span<const ConstView> parts);

  const int device_;
  const cudaStream_t compute_;
  Stream transfer_;
  Event computed_, arrived_;
  std::array<Pause, 2> pauses_;  // of this exchange and the one before
  std::size_t turn_ = 0;
  double stall_seconds_ = 0;
  Buffer aside_;                  // copies of parts of the letter that is on its way
  std::function<void()> posted_;  // of the same
  Buffer reply_;
};

}  // namespace easgd::cuda
