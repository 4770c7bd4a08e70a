// The values of options, for one comparison: has everything come back that was written?
#pragma once

#include <functional>
#include <map>
#include <string>

#include "config/fields.h"

namespace easgd::config {

/// Every value that `fields` declares, by its key ("algorithm.tau", "network.layer[0].type").
/// Numbers to the last bit; optional values that were not given are left out.
std::map<std::string, std::string> values_of(const std::function<void(Fields&)>& fields);

}  // namespace easgd::config
