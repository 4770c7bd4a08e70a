// Memory for values of any type, on the current device or page-locked.
#pragma once

#include <cstddef>

#include "backend/cuda/stream.h"

namespace easgd::cuda {

/// Owner of `count` values T, all bits zero, in memory that `Allocate` makes. Move-only.
template <class T, Buffer (*Allocate)(std::size_t floats)>
class Array {
 public:
  Array() = default;
  explicit Array(std::size_t count)
      : memory_(Allocate((count * sizeof(T) + sizeof(float) - 1) / sizeof(float))), count_(count) {}

  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }

 private:
  Buffer memory_;
  std::size_t count_ = 0;
};

template <class T>
using DeviceArray = Array<T, device_buffer>;
template <class T>
using PinnedArray = Array<T, pinned_buffer>;

}  // namespace easgd::cuda
