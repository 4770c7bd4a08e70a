// What the pieces of a batch compute once for all of them.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "backend/cpu/crew.h"
#include "base/view.h"

namespace easgd::cpu {

class SharedWork {
 public:
  virtual ~SharedWork() = default;
  /// Before a forward pass at parameters x [P].
  virtual void prepare(ConstView x, Crew& crew) = 0;
  /// After the backward pass of all pieces: its part of g [P].
  virtual void deliver(View, Crew&) {}
  virtual std::size_t bytes() const = 0;
};

/// That of each stage of a network, by its number.
using SharedWorks = std::map<std::size_t, std::unique_ptr<SharedWork>>;

}  // namespace easgd::cpu
