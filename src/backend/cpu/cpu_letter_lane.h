// Letters of a worker on the CPU: from host memory to host memory, by the calling thread.
#pragma once

#include "backend/letter_lane.h"

namespace easgd::cpu {

/// Every call is done when it returns.
class CpuLetterLane : public LetterLane {
 public:
  void post(std::span<const ConstView> parts, View to, std::function<void()> posted) override;
  void wait_posted() override {}  // post has called it
  ConstView fetch(ConstView reply) override { return reply; }
};

}  // namespace easgd::cpu
