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
  std::uint64_t pieces = 0, versions = 0, checkpoints = 0;
  std::uint64_t refused = 0, restarts = 0, gone = 0;  ///< of the calm run
  std::optional<std::string> wrong = {};

  /// Adds up the counts.
  void operator+=(const Report& other);
};

/// The run of a seed, in one line.
std::string weather_of(std::uint64_t seed);
/// Everything that it does is a function of the seed; when threads run is not.
Report storm(std::uint64_t seed);

}  // namespace easgd::storm
