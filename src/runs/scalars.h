// The numbers of an event of metrics.jsonl under the names that plots show.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runs/events.h"

namespace easgd {

struct Scalar {
  std::string tag;  ///< group/name
  double value = 0;
};

/// What an event has to plot.
struct Scalars {
  std::uint64_t step = 0;  ///< gradient steps of all workers together
  std::vector<Scalar> values;
};

/// Nothing if the event has no numbers. `seconds` is the tag of an evaluation's time.
Scalars scalars_of(const Event& event, const std::string& seconds);

}  // namespace easgd
