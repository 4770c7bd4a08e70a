// Where a run is to pause: at the first version of its center that has come so far.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "config/choice.h"

namespace easgd {

enum class PauseUnit { epochs, steps };

template <>
struct config::Names<PauseUnit> {
  static constexpr Name<PauseUnit> all[] = {{"epochs", PauseUnit::epochs},
                                            {"steps", PauseUnit::steps}};
};

struct PausePoint {
  PauseUnit unit = PauseUnit::epochs;
  double value = 1;  ///< passes of all workers together, or steps of each worker

  /// "epochs=3".
  std::string text() const;
  /// `steps`: of each worker that is not gone, in the center. Of workers that are not equally far
  /// the mean counts.
  bool is_reached(double epoch, std::span<const std::uint64_t> steps) const;
  bool operator==(const PausePoint&) const = default;
};

/// Throws: ConfigError if `text` is not as text() writes it.
PausePoint pause_point_of(const std::string& text);

}  // namespace easgd
