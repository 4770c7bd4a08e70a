#pragma once

namespace easgd {

/// Exit codes of the program. A contract: scripts read them.
enum class ExitCode {
  done = 0,
  bug = 1,
  configuration = 2,
  data = 3,
  device = 4,
  interrupted = 130,  ///< by a signal; what was reached is saved
  abandoned = 131     ///< by a further signal; what was not saved yet is lost
};

}  // namespace easgd
