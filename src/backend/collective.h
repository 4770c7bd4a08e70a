// Sums over devices.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>

#include "backend/backend.h"

namespace easgd {

/// Adds up over devices. Belongs to the thread that made it; the backends it was made for outlive
/// it.
class Collective {
 public:
  /// Gives up what is under way.
  virtual ~Collective() = default;
  /// sums[i] [P] = terms[0] + terms[1] + ..., the same bits in each i, as the next work of the i-th
  /// backend's compute lane. An empty term is zeros.
  virtual void sum(std::span<const ConstView> terms, std::span<const View> sums) = 0;
  /// Waits for the compute lanes of all.
  /// Throws: DeviceError if a device has failed, though others wait for its terms, and after
  /// `longest`.
  virtual void finish() = 0;

  /// So long `finish` waits: a sum takes milliseconds, and a path that loses data can keep one from
  /// ever ending.
  std::chrono::milliseconds longest = std::chrono::seconds(60);
};

/// Makes one for backends of one kind, each with a device of its own. Registered under the name of
/// the kind, "cuda", by a library of its own (cuda_library.h).
/// Throws: DeviceError.
using MakeCollective =
    std::function<std::unique_ptr<Collective>(std::span<Backend* const> backends)>;

}  // namespace easgd
