#include "base/processor_name.h"

#include <fstream>

namespace easgd {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
  }
  return "of unknown name";
}

}  // namespace easgd
