// How batches come to a device: through two places in turn, on a stream of their own, so that one
// crosses while the step before it computes.
//
// A batch comes as images, whose memory is free again once they have crossed, or as crops of a
// training set that the device keeps: then only their places and labels cross, and the host waits
// for nothing.
#pragma once

#include <array>
#include <memory>

#include "backend/cuda/stream.h"
#include "data/batch.h"

namespace easgd::cuda {

/// A batch on the device.
struct Arrived {
  const float* images = nullptr;         ///< [N][C][H][W]
  const std::int32_t* labels = nullptr;  ///< [N]
  const std::uint64_t* step = nullptr;   ///< its clock
};

class Input {
 public:
  /// For batches of up to `batch` images, read by work of `stream`, which outlives this.
  Input(Shape image, std::size_t batch, cudaStream_t stream);
  ~Input();

  /// The batch, for what is given to the stream next, which begins with `cut`.
  Arrived load(const Batch& batch);
  /// Makes the images of the batch that was loaded last, where it came as crops: one kernel, the same
  /// every time for the same place.
  void crop();
  /// What else decides what `cut` does: nothing where the batch came as images.
  const void* crops_from() const { return has_images_ ? nullptr : levels_.data(); }
  /// After that: its place may be filled again once the work is done. On return the batch's own
  /// memory may be written.
  void unload();

  /// Of device memory, without the kept set, which models share.
  std::size_t bytes() const;

 private:
  /// Where every other batch lies. A header is the step, crops [N] and labels [N].
  struct Place {
    Buffer images, header;
    Buffer packed;  ///< the header, pinned
    Event loaded, read;
  };

  void pack(const Batch& batch, std::byte* header) const;
  void hold_set(const ResidentSet& resident);

  const Shape image_;
  const std::size_t batch_;
  const cudaStream_t stream_;
  Stream crossing_;
  std::array<Place, 2> places_;
  std::size_t turn_ = 0;
  bool has_images_ = false;  // the batch that was loaded last
  std::size_t samples_ = 0;  // of the same
  const ResidentSet* resident_ = nullptr;
  std::shared_ptr<const Buffer> set_;  // its bytes
  Buffer levels_;
};

/// Whether a training set of so many bytes takes at most a quarter of what is free on the current
/// device.
bool can_hold(std::size_t bytes);

}  // namespace easgd::cuda
