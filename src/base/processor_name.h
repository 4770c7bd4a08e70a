#pragma once

#include <string>

namespace easgd {

/// As the kernel gives it: "AMD EPYC 7763 64-Core Processor"; "of unknown name" if it does not.
std::string processor_name();

}  // namespace easgd
