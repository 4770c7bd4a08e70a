#pragma once

#include <string>

namespace easgd {

/// What the system says of `error` (errno), and what can be done.
std::string reason(int error);

}  // namespace easgd
