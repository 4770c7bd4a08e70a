// Which precisions this processor computes in.
#pragma once

#include <string>

namespace easgd::cpu {

/// "AMD EPYC with AVX2"-like words for messages and the list of devices.
struct Processor {
  std::string name;
  std::string instructions;  ///< the widest that oneDNN uses
  bool bf16;                 ///< in hardware
};

Processor processor();

/// Throws: ConfigError saying what is needed and what there is.
void check_precision(const std::string& precision);

}  // namespace easgd::cpu
