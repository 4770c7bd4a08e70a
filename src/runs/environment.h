// Where a run took place, as far as it matters for its figures. Not on which host: a summary is
// given away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace easgd {

struct Environment {
  std::string program;            ///< version
  std::string processor;          ///< its name
  std::uint64_t cores = 0;        ///< that this process may use
  std::vector<std::string> gpus;  ///< descriptions, one of each worker that has one

  template <class Keys>
  void keys(Keys& k) {
    k("program", program);
    k("processor", processor);
    k("cores", cores);
    k("gpus", gpus);
  }
};

}  // namespace easgd
