// Flat float32 vectors, as every replica, gradient, letter and center is one.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>

namespace easgd {

/// Memory of some device; only code that knows which device may look inside.
using View = std::span<float>;
using ConstView = std::span<const float>;

/// Owner of floats in the memory of a device or of the host. Move-only.
class Buffer {
 public:
  using Free = std::function<void(float*)>;

  Buffer() = default;
  Buffer(float* data, std::size_t count, Free free) : data_(data, std::move(free)), count_(count) {}

  View view() const { return {data_.get(), count_}; }
  operator View() const { return view(); }
  operator ConstView() const { return view(); }
  float* data() const { return data_.get(); }
  std::size_t size() const { return count_; }

 private:
  std::unique_ptr<float[], Free> data_{nullptr, [](float*) {}};
  std::size_t count_ = 0;
};

/// Zeroed host memory, aligned to a cache line. From kHugeBuffer floats on it is in huge pages,
/// where the system has them, and takes memory only where it has been touched.
Buffer host_buffer(std::size_t count);
constexpr std::size_t kHugeBuffer = 1 << 20;

}  // namespace easgd
