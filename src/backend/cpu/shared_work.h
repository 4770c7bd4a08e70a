// What the pieces of a batch compute once for all of them.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "base/view.h"

namespace easgd::cpu {

class SharedWork {
 public:
  virtual ~SharedWork() = default;
  /// Before a forward pass at parameters x [P], in tasks that any threads may do at once, and those
  /// of other layers with them.
  virtual std::size_t preparations() const = 0;
  virtual void prepare(ConstView x, std::size_t task) = 0;
  /// After the backward pass of all pieces, likewise: its part of g [P].
  virtual std::size_t deliveries() const { return 0; }
  virtual void deliver(View, std::size_t /*task*/) {}
  virtual std::size_t bytes() const = 0;
};

/// That of each stage of a network, by its number.
using SharedWorks = std::map<std::size_t, std::unique_ptr<SharedWork>>;

}  // namespace easgd::cpu
