// What one key of a configuration alone cannot show: keys that exclude or need each other.
#pragma once

#include "settings/config.h"

namespace easgd {

/// Throws: KeyError against the key that is wrong, with what mends it.
void check(const Config& config);

}  // namespace easgd
