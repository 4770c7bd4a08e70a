// What we add to oneDNN's C++ interface: calls that are bound once, conversions between layouts,
// and errors of our own kind.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/view.h"

namespace easgd::cpu {

using dnnl::memory;

/// A primitive and its arguments, put together once: calling it makes nothing.
class Call {
 public:
  Call() = default;
  Call(dnnl::primitive primitive, const std::vector<std::pair<int, memory>>& arguments);
  void operator()(const dnnl::stream& stream) const;
  explicit operator bool() const { return !arguments_.empty(); }

 private:
  dnnl::primitive primitive_;
  std::vector<memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

/// Lets a memory look at floats that the caller owns.
inline void point_at(const memory& m, ConstView floats) {
  m.set_data_handle(const_cast<float*>(floats.data()));
}

[[noreturn]] void throw_device_error(const dnnl::error& error);

/// Calls f; an error of oneDNN becomes a DeviceError.
template <class Function>
auto translate_errors(Function&& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    throw_device_error(error);
  }
}

}  // namespace easgd::cpu
