// A new run from the center of another one, where too much has changed for that one to go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace easgd {

struct TakenCenter {
  std::uint64_t version = 0;
  std::filesystem::path file;  ///< in the run's folder, for network.init
};

/// Takes the center out of the last whole checkpoint in a run's folder, and puts it beside as
/// center-<version>.safetensors; nothing else changes there. What is broken is reported to `warn`.
/// Throws: DataError if there is no checkpoint or the file cannot be written; ConfigError if a run
/// is at work there.
TakenCenter take_center(const std::filesystem::path& run,
                        const std::function<void(const std::string&)>& warn);

}  // namespace easgd
