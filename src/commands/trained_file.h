#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nn/safetensors.h"
#include "settings/config.h"

namespace easgd {

/// A trained network as a command is given it.
struct TrainedFile {
  std::filesystem::path path;
  safetensors::File file;
  Config config;
  std::string own_config = {};  ///< of the run: where its configuration came from, if from there
};

/// `path`: a run folder, whose center is meant, or a safetensors file. Its configuration is
/// `given`, a file, if that is not empty; else the run's own, else the one that the file carries.
/// Throws: DataError, ConfigError.
TrainedFile open_trained(const std::string& path, const std::string& given,
                         const std::vector<std::string>& overrides);

}  // namespace easgd
