#pragma once

namespace easgd {

/// Of this program, "0.1.0".
extern const char* const kVersion;

}  // namespace easgd
