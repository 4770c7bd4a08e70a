#include "settings/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/unreadable.h"
#include "config/reader.h"
#include "settings/config_check.h"
#include "settings/layer_tables.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

constexpr const char* kExpected = "a configuration (see configs/ and `easgd help config`)";

/// `origin` is the configuration file, which network.file is relative to.
void load_layers(Config& config, const fs::path& origin) {
  NetworkConfig& network = config.network;
  const auto fail = [&origin](const char* why) {
    throw ConfigError(fmt::format("{}: network: {}", origin.string(), why));
  };
  if (!network.file.empty()) {
    if (!network.layers.empty()) fail("give file or [[network.layer]] tables, not both");
    const std::string file = (origin.parent_path() / network.file).string();
    if (const std::string why = why_unreadable(file); !why.empty()) {
      std::error_code error;
      [[maybe_unused]] const auto there = fs::status(file, error);
      const bool absent = error == std::errc::no_such_file_or_directory;
      throw KeyError("network.file",
                     fmt::format("{} {}; expected a TOML file of layers, relative to the "
                                 "configuration's folder",
                                 file, absent ? "is not there" : why));
    }
    config::read_file(
        file, {}, [&](config::Fields& f) { layer_fields(f, "layer", network.layers); },
        "[[layer]] tables, from the input to the loss");
    network.file.clear();
  }
  if (network.layers.empty()) fail("has no layers; give network.file or [[network.layer]] tables");
}

}  // namespace

std::string anchored(const std::string& path) {
  std::error_code error;
  const fs::path whole = path.empty() ? fs::path() : fs::absolute(path, error);
  if (error) return path;
  // What is before ".." may be a link, and lead elsewhere.
  return std::ranges::count(whole, fs::path("..")) > 0 ? whole : whole.lexically_normal();
}

Config read_config(const std::string& path, const config::Edits& edits) {
  if (path.empty()) throw ConfigError("expected a configuration file; found an empty name");
  Config config;
  config.locations = config::read_file(
      path, edits, [&](config::Fields& f) { config.fields(f); }, kExpected);
  config::at_locations(config.locations, [&] { load_layers(config, path); });
  config.data.dir = anchored(config.data.dir);
  config.network.init = anchored(config.network.init);
  config.center.replay = anchored(config.center.replay);
  return config;
}

Config load_config(const std::string& path, const config::Edits& edits) {
  Config config = read_config(path, edits);
  config::at_locations(config.locations, [&] { check(config); });
  return config;
}

Config parse_config(const std::string& text, const std::string& origin,
                    const config::Edits& edits) {
  Config config;
  config.locations = config::read_text(
      text, origin, edits, [&](config::Fields& f) { config.fields(f); }, kExpected);
  config::at_locations(config.locations, [&] {
    if (!config.network.file.empty()) {
      throw KeyError("network.file",
                     "expected [[network.layer]] tables: a configuration that another file carries "
                     "reads no further one");
    }
    load_layers(config, origin);
  });
  return config;
}

}  // namespace easgd
