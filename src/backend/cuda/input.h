// How batches come to a device: through two slots in turn, on a stream of their own, so that one
// batch crosses while the step before it computes.
//
// A batch comes as images, whose memory is free again once they have crossed, or as crops of a
// training set that the device keeps. Then only the crops and the labels cross, and the host waits
// for nothing.
#pragma once

#include <array>
#include <memory>

#include "backend/cuda/device_array.h"
#include "data/batch.h"

namespace easgd::cuda {

/// A batch on the device.
struct Arrived {
  const float* images = nullptr;         ///< [N][C][H][W]
  const std::int32_t* labels = nullptr;  ///< [N]
  const std::uint64_t* step = nullptr;   ///< its clock
};

/// Pixels [samples][C][h][w] of a training set.
using DeviceSet = DeviceArray<std::uint8_t>;

class Input {
 public:
  /// For batches of up to `batch` images, read by work of `stream`, which outlives this.
  Input(Shape image, std::size_t batch, cudaStream_t stream);
  ~Input();

  /// Brings a batch for the work that the stream is given next, which begins with `crop`.
  Arrived load(const Batch& batch);
  /// Makes the images of the batch that was loaded last, if it came as crops: one kernel, the same
  /// every time for the same slot.
  void crop();
  /// The one other address that `crop` depends on; null if the batch came as images.
  const void* crops_from() const { return has_images_ ? nullptr : levels_.data(); }
  /// After that work: the slot may be filled again once it is done. On return the batch's own
  /// memory may be written.
  void unload();

  /// Bytes of device memory, without the resident set, which models share.
  std::size_t bytes() const;

 private:
  /// Holds every other batch. A header is the step, crops [N] and labels [N].
  struct Slot {
    DeviceArray<float> images;
    DeviceArray<std::byte> header;
    PinnedArray<std::byte> packed;  ///< the header in host memory
    Event loaded, read;
  };

  void pack(const Batch& batch, std::byte* header) const;
  void hold_set(const ResidentSet& resident);

  const Shape image_;
  const std::size_t batch_;
  const cudaStream_t stream_;
  Stream crossing_;
  std::array<Slot, 2> slots_;
  std::size_t turn_ = 0;
  bool has_images_ = false;  // the batch that was loaded last
  std::size_t samples_ = 0;  // of the same
  const ResidentSet* resident_ = nullptr;
  std::shared_ptr<const DeviceSet> set_;
  DeviceArray<float> levels_;
};

}  // namespace easgd::cuda
