#include "backend/cuda/input.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 20;  // bytes of a set on their way at a time

// A header: the step, room for alignment, the crops, the labels.
constexpr std::size_t kCrops = 16;
std::size_t labels_of(std::size_t batch) {
  return kCrops + batch * sizeof(kernels::Crop);
}
std::size_t header_bytes(std::size_t batch) {
  return labels_of(batch) + batch * sizeof(std::int32_t);
}

/// Pixels [samples][C][h][w] of a set in device memory.
DeviceSet send_set(const ResidentSet& resident, cudaStream_t stream) {
  const std::size_t size = resident.set->shape().size();
  DeviceSet there(resident.bytes());
  const std::size_t together = std::clamp<std::size_t>(kChunk / size, 1, resident.samples);
  std::vector<std::uint8_t> chunk(together * size);
  Scratch scratch;
  for (std::size_t first = 0; first < resident.samples; first += together) {
    const std::size_t count = std::min(together, resident.samples - first);
    for (std::size_t i = 0; i < count; ++i) {
      std::ranges::copy(resident.set->image(first + i, scratch).pixels,
                        chunk.begin() + std::ptrdiff_t(i * size));
    }
    copy(chunk.data(), there.data() + first * size, count * size, stream);
    check(cudaStreamSynchronize(stream), "a training set on its way to the device");
  }
  return there;
}

/// The set on the current device: once for all models there, while one of them lives.
std::shared_ptr<const DeviceSet> hold(const ResidentSet& resident, cudaStream_t stream) {
  static std::map<std::tuple<int, const Dataset*, std::size_t>, std::weak_ptr<const DeviceSet>>
      sets;
  static std::mutex mutex;  // of the map; an entry of a device belongs to who holds its lock
  const int device = current_device();
  const DeviceSyncLock device_lock(device);
  std::unique_lock lock(mutex);
  std::weak_ptr<const DeviceSet>& known = sets[{device, resident.set, resident.samples}];
  lock.unlock();
  std::shared_ptr<const DeviceSet> set = known.lock();
  if (!set) known = set = std::make_shared<const DeviceSet>(send_set(resident, stream));
  return set;
}

}  // namespace

Input::Input(Shape image, std::size_t batch, cudaStream_t stream)
    : image_(image), batch_(batch), stream_(stream), crossing_(make_stream("input")) {
  for (Slot& slot : slots_) {
    slot.images = DeviceArray<float>(batch * image.size());
    slot.header = DeviceArray<std::byte>(header_bytes(batch));
    slot.packed = PinnedArray<std::byte>(header_bytes(batch));
    slot.loaded = make_event();
    slot.read = make_event();
  }
}

Input::~Input() {
  cudaStreamSynchronize(crossing_);
  cudaStreamSynchronize(stream_);
}

std::size_t Input::bytes() const {
  return slots_.size() * (slots_[0].images.bytes() + slots_[0].header.bytes());
}

void Input::pack(const Batch& batch, std::byte* header) const {
  std::memcpy(header, &batch.step, sizeof batch.step);
  if (!batch.crops.empty())
    std::memcpy(header + kCrops, batch.crops.data(), batch.crops.size_bytes());
  std::memcpy(header + labels_of(batch_), batch.labels.data(), batch.labels.size_bytes());
}

void Input::hold_set(const ResidentSet& resident) {
  if (resident_ == &resident) return;
  resident_ = &resident;
  set_ = hold(resident, crossing_);
  levels_ = DeviceArray<float>(resident.levels.size());
  copy(resident.levels.data(), levels_.data(), resident.levels.size_bytes(), crossing_);
  check(cudaStreamSynchronize(crossing_), "pixel levels on their way to the device");
}

void Input::crop() {
  if (has_images_) return;
  const Slot& slot = slots_[turn_];
  const Shape whole = resident_->set->shape();
  const std::byte* header = slot.header.data();
  try {
    kernels::launch(
        kernels::CropPass{.images = slot.images.data(),
                          .set = set_->data(),
                          .levels = levels_.data(),
                          .crops = reinterpret_cast<const kernels::Crop*>(header + kCrops),
                          .channels = whole.channels,
                          .set_height = whole.height,
                          .set_width = whole.width,
                          .height = image_.height,
                          .width = image_.width},
        samples_ * image_.size(), stream_);
  } catch (const std::exception& e) {
    throw DeviceError(std::string("cuda: cropping images of a resident set: ") + e.what());
  }
}

Arrived Input::load(const Batch& batch) {
  Slot& slot = slots_[turn_];
  has_images_ = batch.crops.empty();
  samples_ = batch.size();
  if (!has_images_) hold_set(*batch.resident);
  check(cudaEventSynchronize(slot.loaded), "the batch before the last on its way to the device");
  pack(batch, slot.packed.data());
  check(cudaStreamWaitEvent(crossing_, slot.read), "cudaStreamWaitEvent");
  copy(slot.packed.data(), slot.header.data(), header_bytes(batch_), crossing_);
  copy(batch.images.data(), slot.images.data(), batch.images.size_bytes(), crossing_);
  check(cudaEventRecord(slot.loaded, crossing_), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream_, slot.loaded), "cudaStreamWaitEvent");
  const std::byte* header = slot.header.data();
  return {slot.images.data(), reinterpret_cast<const std::int32_t*>(header + labels_of(batch_)),
          reinterpret_cast<const std::uint64_t*>(header)};
}

void Input::unload() {
  Slot& slot = slots_[turn_];
  check(cudaEventRecord(slot.read, stream_), "cudaEventRecord");
  turn_ = (turn_ + 1) % slots_.size();
  if (has_images_) check(cudaEventSynchronize(slot.loaded), "a batch on its way to the device");
}

}  // namespace easgd::cuda
