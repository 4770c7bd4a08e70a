#pragma once

#include <cstdint>
#include <string>

namespace easgd {

/// "1.25 GiB", "351.95 MiB".
std::string shown_bytes(std::uint64_t bytes);

}  // namespace easgd
