// Whether the training loss is lost: it, or a letter, is not finite, or it rises suddenly.
#pragma once

#include <cstdint>
#include <string>

#include "base/state.h"
#include "settings/config.h"

namespace easgd {

/// Mean and spread run over about the last hundred letters; nothing is sudden before the twentieth.
/// Thread: the master's, while there is one.
class LossGuard {
 public:
  explicit LossGuard(const GuardConfig& config) : spike_(config.spike) {}

  /// Why the mean training loss of a letter, or a letter that was refused (not a number), is the
  /// loss of it; empty if it is not. That one is in no mean.
  std::string look(double loss);
  void describe(State& state);

 private:
  double spike_;  // spreads above the mean; 0: any
  double mean_ = 0, variance_ = 0;
  std::uint64_t letters_ = 0;
};

}  // namespace easgd
