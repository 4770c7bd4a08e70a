#pragma once

#include <string>
#include <vector>

#include "runs/environment.h"

namespace easgd {

/// Of this process, with these workers' devices ("cpu", "cuda:0"). What cannot be found out is left
/// empty.
Environment find_environment(const std::vector<std::string>& devices);

}  // namespace easgd
