// The first exception of many threads, for the one that joins them.
#pragma once

#include <exception>
#include <mutex>
#include <utility>

namespace easgd {

class FirstError {
 public:
  /// To be called in a catch block.
  void record() noexcept {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  std::exception_ptr get() const noexcept {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  void rethrow_if_any() const {
    if (const std::exception_ptr error = get()) std::rethrow_exception(error);
  }
  /// The same, and forgets it.
  void throw_if_any() {
    std::exception_ptr error;
    {
      const std::lock_guard lock(mutex_);
      std::swap(error, error_);
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  mutable std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace easgd
