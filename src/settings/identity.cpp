#include "settings/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/fnv1a.h"
#include "base/registry.h"
#include "config/writer.h"
#include "data/own_files.h"
#include "nn/layer.h"

namespace easgd {
namespace {

/// A configuration of the same algorithm, data set and layers that gives none of their keys.
Config defaults_beside(const Config& config) {
  Config defaults;
  defaults.algorithm.choose(config.algorithm.name);
  defaults.data.set = config.data.set;
  for (const auto& layer : config.network.layers) {
    defaults.network.layers.push_back(Registry<LayerEntry>::get(layer->kind())());
  }
  return defaults;
}

/// "0", "cuda:1" -> "cuda"
std::string kind_of(const std::string& device) {
  return device == "cpu" || device == "auto" ? device : "cuda";
}

/// What is in a file, not where it lies; the path if it cannot be read, as a pipe cannot more than
/// once. Files are large, and many runs begin from the same.
std::string content_of(const std::string& path) {
  static std::map<std::string, std::string> known;
  if (path.empty()) return "";
  if (const auto it = known.find(path); it != known.end()) return it->second;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return path;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return path;
  std::uint64_t hash = fnv1a("");
  std::string part(1 << 20, '\0');
  while (file.read(part.data(), std::streamsize(part.size())), file.gcount() > 0) {
    hash = fnv1a(std::string_view(part).substr(0, std::size_t(file.gcount())), hash);
  }
  return known[path] = fmt::format("content {:016x}", hash);
}

void forget_places(Config& config) {
  config.name.clear();
  config.data.dir = identity_of(config.data);
  config.profile = {};
  config.checkpoint = {};
  config.workers.devices = config.workers.each_device();
  for (std::string& device : config.workers.devices) device = kind_of(device);
  if (config.center.place.starts_with("cuda:")) config.center.place = "cuda";
  config.network.init = content_of(config.network.init);
  config.center.replay = content_of(config.center.replay);
}

/// Names that choose which other keys there are.
bool chooses(const std::string& key) {
  return key == "algorithm.name" || key == "data.set" || key.ends_with("].type");
}

}  // namespace

std::map<std::string, std::string> flat_settings(Config config) {
  return config::to_flat([&](config::Fields& f) { config.fields(f); });
}

std::string identity_text(const Config& config) {
  Config named = config;
  forget_places(named);
  const auto defaults = flat_settings(defaults_beside(config));
  std::string text;
  for (const auto& [key, value] : flat_settings(std::move(named))) {
    const auto usual = defaults.find(key);
    if (usual != defaults.end() && usual->second == value && !chooses(key)) continue;
    text += fmt::format("{} = {}\n", key, value);
  }
  return text;
}

std::string identity_of(const DataConfig& data) {
  static std::map<std::pair<std::string, std::string>, std::string> known;
  const std::pair which(data.set, data.dir);
  if (const auto it = known.find(which); it != known.end()) return it->second;
  try {
    std::string content = data.reader()->listing(data.dir);
    for (const auto& file : own_files(data.set, data.dir)) content += content_of(file.string());
    return known[which] = content;
  } catch (const DataError&) {
    return data.dir;
  }
}

std::string identity_of(const Config& config) {
  const std::uint64_t hash = fnv1a(identity_text(config));
  return fmt::format("{:012x}", (hash ^ hash >> 48) & 0xffffffffffff);
}

}  // namespace easgd
