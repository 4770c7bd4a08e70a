// The kinds of devices that there are: "cpu", and "cuda" once its library is loaded.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/registry.h"

namespace easgd {

struct BackendOptions {
  int index = 0;        ///< which device of its kind: 1 in "cuda:1"
  int threads = 1;      ///< CPU: how many compute
  bool urgent = false;  ///< CUDA: its work goes before that of others on the device
};

struct Device {
  std::string description;  ///< for people
  std::string why_not;      ///< what keeps this program from using it, or nothing
};

/// A way from one memory to another.
struct DevicePath {
  std::string from, to;  ///< "host", "cuda:0"
  bool peer = false;     ///< without the host in between
  bool exact = false;    ///< what was sent arrived, to the last bit
  double speed = 0;      ///< bytes a second
};

/// What there is to know of a kind of device without having one. Registered under its name; a
/// function that does not apply to the kind is empty.
struct BackendKind {
  /// Makes a backend for the calling thread.
  /// Throws: DeviceError.
  std::function<std::unique_ptr<Backend>(const BackendOptions&)> make;

  /// CPU: the most threads that one backend can have, the limit being the user's: OMP_THREAD_LIMIT.
  std::function<int()> most_threads = {};
  /// CPU: whether models of a batch size compute the same bits with either number of threads.
  std::function<bool(std::size_t batch, int threads, int other_threads)> same_bits = {};
  /// CPU: bytes that a model on so many threads takes, about, without making it.
  /// Throws: ConfigError as compile() does.
  std::function<std::size_t(const Network&, const ModelOptions&, int threads)> model_memory = {};

  /// CUDA: the devices that this machine has.
  /// Throws: DeviceError saying why there is none.
  std::function<std::vector<Device>()> devices = {};
  /// CUDA: bytes of a device's memory that nobody has taken.
  /// Throws: DeviceError.
  std::function<std::size_t(int index)> free_memory = {};
  /// CUDA: the ways between the devices and the host, found by trying them. From one thread at a
  /// time.
  /// Throws: DeviceError.
  std::function<std::vector<DevicePath>()> measure_paths = {};
  /// CUDA: whether device `from` may write and read the memory of device `to` itself: the driver
  /// says so, and a trial confirms it. From then on it may. From one thread at a time.
  /// Throws: DeviceError.
  std::function<bool(int from, int to)> open_peer = {};
};

/// Whether a device with so much free memory is to keep a training set of so many bytes.
inline bool has_room_for_set(std::size_t bytes, std::size_t free) {
  return bytes <= free / 4;
}

/// One of a kind that is registered.
/// Throws: ConfigError if there is no such kind; DeviceError.
inline std::unique_ptr<Backend> make_backend(const std::string& kind,
                                             const BackendOptions& options = {}) {
  return Registry<BackendKind>::get(kind).make(options);
}

}  // namespace easgd
