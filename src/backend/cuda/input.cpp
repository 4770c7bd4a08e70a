#include "backend/cuda/input.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

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

std::size_t floats_for(std::size_t bytes) {
  return (bytes + sizeof(float) - 1) / sizeof(float);
}

/// Pixels [samples][C][h][w] of a set in device memory.
Buffer send_set(const ResidentSet& resident, cudaStream_t stream) {
  const std::size_t size = resident.set->shape().size();
  Buffer there = device_buffer(floats_for(resident.bytes()));
  auto* to = reinterpret_cast<std::uint8_t*>(there.data());
  const std::size_t together = std::clamp<std::size_t>(kChunk / size, 1, resident.samples);
  std::vector<std::uint8_t> chunk(together * size);
  Scratch scratch;
  for (std::size_t first = 0; first < resident.samples; first += together) {
    const std::size_t count = std::min(together, resident.samples - first);
    for (std::size_t i = 0; i < count; ++i) {
      std::ranges::copy(resident.set->image(first + i, scratch).pixels,
                        chunk.begin() + std::ptrdiff_t(i * size));
    }
    copy(chunk.data(), to + first * size, count * size, stream);
    check(cudaStreamSynchronize(stream), "a training set on its way to the device");
  }
  return there;
}

/// The set on the current device: once for all models there, while one of them lives.
std::shared_ptr<const Buffer> hold(const ResidentSet& resident, cudaStream_t stream) {
  static std::map<std::tuple<int, const Dataset*, std::size_t>, std::weak_ptr<const Buffer>> sets;
  static std::mutex mutex;  // of the map; what it has of a device is that of whoever is alone there
  const int device = current_device();
  const Alone alone(device);
  std::unique_lock lock(mutex);
  std::weak_ptr<const Buffer>& known = sets[{device, resident.set, resident.samples}];
  lock.unlock();
  std::shared_ptr<const Buffer> set = known.lock();
  if (!set) known = set = std::make_shared<const Buffer>(send_set(resident, stream));
  return set;
}

}  // namespace

bool can_hold(std::size_t bytes) {
  std::size_t free = 0, all = 0;
  check(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  return bytes <= free / 4;
}

Input::Input(Shape image, std::size_t batch, cudaStream_t stream)
    : image_(image), batch_(batch), stream_(stream), crossing_(make_stream("input")) {
  for (Place& place : places_) {
    place.images = device_buffer(batch * image.size());
    place.header = device_buffer(floats_for(header_bytes(batch)));
    place.packed = pinned_buffer(place.header.size());
    place.loaded = make_event();
    place.read = make_event();
  }
}

Input::~Input() {
  cudaStreamSynchronize(crossing_);
  cudaStreamSynchronize(stream_);
}

std::size_t Input::bytes() const {
  return 2 * (places_[0].images.size() + places_[0].header.size()) * sizeof(float);
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
  levels_ = device_buffer(resident.levels.size());
  copy(resident.levels.data(), levels_.data(), resident.levels.size_bytes(), crossing_);
  check(cudaStreamSynchronize(crossing_), "pixel levels on their way to the device");
}

void Input::crop() {
  if (has_images_) return;
  const Place& place = places_[turn_];
  const Shape whole = resident_->set->shape();
  const auto* header = reinterpret_cast<const std::byte*>(place.header.data());
  try {
    kernels::launch(
        kernels::CropPass{place.images.data(), reinterpret_cast<const std::uint8_t*>(set_->data()),
                          levels_.data(), reinterpret_cast<const kernels::Crop*>(header + kCrops),
                          whole.channels, whole.height, whole.width, image_.height, image_.width},
        samples_ * image_.size(), stream_);
  } catch (const std::exception& e) {
    throw DeviceError(std::string("cuda: cutting images out of a set: ") + e.what());
  }
}

Arrived Input::load(const Batch& batch) {
  Place& place = places_[turn_];
  has_images_ = batch.crops.empty();
  samples_ = batch.size();
  if (!has_images_) hold_set(*batch.resident);
  check(cudaEventSynchronize(place.loaded), "the batch before the last on its way to the device");
  pack(batch, reinterpret_cast<std::byte*>(place.packed.data()));
  check(cudaStreamWaitEvent(crossing_, place.read), "cudaStreamWaitEvent");
  copy(place.packed.data(), place.header.data(), header_bytes(batch_), crossing_);
  copy(batch.images.data(), place.images.data(), batch.images.size_bytes(), crossing_);
  check(cudaEventRecord(place.loaded, crossing_), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream_, place.loaded), "cudaStreamWaitEvent");
  const auto* header = reinterpret_cast<const std::byte*>(place.header.data());
  return {place.images.data(), reinterpret_cast<const std::int32_t*>(header + labels_of(batch_)),
          reinterpret_cast<const std::uint64_t*>(header)};
}

void Input::unload() {
  Place& place = places_[turn_];
  check(cudaEventRecord(place.read, stream_), "cudaEventRecord");
  turn_ = (turn_ + 1) % places_.size();
  if (has_images_) check(cudaEventSynchronize(place.loaded), "a batch on its way to the device");
}

}  // namespace easgd::cuda
