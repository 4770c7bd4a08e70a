#include "commands/trained_file.h"

#include <fmt/format.h>

#include <system_error>

#include "base/error.h"
#include "base/reason.h"
#include "base/unreadable.h"
#include "settings/load.h"

namespace easgd {
namespace {

Config config_of(const safetensors::File& file, const std::filesystem::path& path,
                 const std::string& given, const std::vector<std::string>& overrides) {
  if (!given.empty()) return load_config(given, overrides);
  const auto carried = file.metadata.find("easgd.config");
  if (carried == file.metadata.end()) {
    throw ConfigError(path.string() +
                      ": carries no configuration; give one with --config CONFIG.toml");
  }
  return parse_config(carried->second, path.string() + " (its easgd.config)", overrides);
}

}  // namespace

TrainedFile open_trained(const std::string& path, const std::string& given,
                         const std::vector<std::string>& overrides) {
  std::filesystem::path file_path = path;
  std::string own;
  std::error_code error;
  const auto there = std::filesystem::status(file_path, error);
  if (error) {
    const bool absent = error == std::errc::no_such_file_or_directory;
    throw DataError(fmt::format("{}: {}; expected a run folder or a safetensors file",
                                path.empty() ? "\"\"" : path,
                                absent ? "not found" : "cannot be examined: " + error.message()));
  }
  if (std::filesystem::is_directory(there)) {
    const std::filesystem::path resolved = file_path / "config.toml";
    const auto config = std::filesystem::symlink_status(resolved, error);
    if (given.empty() && std::filesystem::exists(config)) {
      own = resolved.string();
      if (const std::string why = why_unreadable(own, kLongestText); !why.empty())
        throw ConfigError(own + ": " + why);
    }
    if (error && error != std::errc::no_such_file_or_directory)
      throw DataError(resolved.string() + ": cannot be examined: " + reason(error.value()));
    file_path /= "center.safetensors";
  }
  safetensors::File file = safetensors::read(file_path);
  Config config = config_of(file, file_path, own.empty() ? given : own, overrides);
  return {std::move(file_path), std::move(file), std::move(config), std::move(own)};
}

}  // namespace easgd
