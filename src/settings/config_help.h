#pragma once

#include <string>

namespace easgd {

/// Every key of a configuration with its meaning, type, range and default: `easgd help config`.
std::string config_help();

}  // namespace easgd
