// early_stop of a sweep file: which runs are not worth their whole length.
#pragma once

#include <cstddef>
#include <string>

#include "config/choice.h"
#include "config/value.h"
#include "runs/manifest.h"
#include "runs/pause_point.h"

namespace easgd {

/// What runs are compared by.
enum class RungMetric { test_error, test_loss, train_loss };

template <>
struct config::Names<RungMetric> {
  static constexpr Name<RungMetric> all[] = {{"test_error", RungMetric::test_error},
                                             {"test_loss", RungMetric::test_loss},
                                             {"train_loss", RungMetric::train_loss}};
};

/// Successive halving, the one method that there is.
struct EarlyStop {
  std::size_t eta = 3;  ///< one of so many goes on at each rung
  PausePoint first;     ///< rung; each further one is eta times as far
  RungMetric metric = RungMetric::test_error;
  std::string location;  ///< "study.toml:12"
};

/// Lower is better; infinite if the loss is not finite.
double value_of(const RungResult& result, RungMetric metric);

/// For people: "error 71.20 %", with the loss before it if runs are compared by that.
std::string text_of(const RungResult& result, RungMetric metric);

/// Throws: ConfigError with the place in the sweep file.
EarlyStop early_stop_of(const config::Value& value);

}  // namespace easgd
