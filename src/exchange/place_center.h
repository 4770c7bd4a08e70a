// Where the center is to be.
#pragma once

#include <vector>

#include "exchange/center_placement.h"
#include "exchange/placement.h"
#include "settings/config.h"

namespace easgd {

/// Where the center is: center.place. "auto" is on every worker's device if that can be, for a
/// synchronous exchange between GPUs, else in pinned memory.
/// Throws: ConfigError for a place that is none, or not for this algorithm or these workers;
/// DeviceError for one that this machine lacks.
CenterPlacement place_center(const Config& config, const std::vector<Placement>& workers);

}  // namespace easgd
