// When the center is to be evaluated next.
#pragma once

#include <cstdint>
#include <span>

#include "base/state.h"
#include "exchange/center_view.h"
#include "settings/config.h"

namespace easgd {

/// Thread: the master's, while it runs; epoch() from any.
class EvaluationClock {
 public:
  /// The periods if a configuration gives none: of evaluations, and of checkpoints.
  static constexpr double kDefaultSeconds = 20, kCheckpointSeconds = 300;

  /// Steps are of `batch` samples, epochs of `train_size`.
  EvaluationClock(const Every& every, std::size_t batch, std::size_t train_size);

  /// Passes over the training set of all workers together.
  double epoch(std::span<const std::uint64_t> steps) const;
  /// A period has ended at this version and training time.
  bool due(const CenterView& center, double seconds) const;
  /// An evaluation was begun; the next is due at the following multiple of its period.
  void begun(const CenterView& center, double seconds);

  /// When each period ends next.
  void describe(State& state);

 private:
  Every every_;
  double epochs_a_step_;
  double next_seconds_ = 0, next_epoch_ = 0;
  std::uint64_t next_version_ = 0;
};

}  // namespace easgd
