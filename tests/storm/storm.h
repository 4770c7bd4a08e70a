// One storm: a run in virtual time that is stopped, killed and gone on with, again and again, from
// checkpoints in memory or in files. It ends in the bytes of the calm run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace easgd::storm {

/// What was seen in one storm.
struct Report {
  std::string weather;
  std::uint64_t pieces = 0, versions = 0, checkpoints = 0, refused = 0;
  std::optional<std::string> wrong = {};
};

/// Everything that it does is a function of the seed; when threads run is not.
Report storm(std::uint64_t seed);

}  // namespace easgd::storm
