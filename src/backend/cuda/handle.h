// Owner of something that a C library hands out and wants back.
#pragma once

#include <utility>

namespace easgd::cuda {

/// Empty, or the owner of one T, which `Destroy` takes back. Move-only.
template <class T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() {
    if (value_ != T{}) Destroy(value_);
  }

  T get() const { return value_; }
  operator T() const { return value_; }
  /// The address that a library writes a new one to. The handle must be empty.
  T* put() { return &value_; }

 private:
  T value_ = T{};
};

}  // namespace easgd::cuda
