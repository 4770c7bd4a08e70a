// What one key of a configuration alone cannot show: keys that exclude or need each other.
#pragma once

#include <string>
#include <vector>

#include "settings/config.h"

namespace easgd {

/// Throws: KeyError against the key that is wrong, with what mends it.
void check(const Config& config);

/// Throws: KeyError if a folder cannot have that name.
void check_name(const std::string& name);

/// The overrides that give the algorithm of a configuration what it takes ("algorithm.tau=1"); none
/// if it has that. What they change may need further ones.
std::vector<std::string> remedies(const Config& config);

}  // namespace easgd
