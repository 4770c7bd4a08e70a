#include <fmt/format.h>

#include "commands/commands.h"
#include "data/location.h"

namespace easgd {

ExitCode locate_command(const std::string& set, const std::string& dir) {
  const auto place = locate(set, dir);
  fmt::print("{}\n", place.value_or(set + ": not found"));
  return place ? ExitCode::done : ExitCode::data;
}

}  // namespace easgd
