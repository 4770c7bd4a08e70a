#include "settings/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/registry.h"
#include "config/writer.h"
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

void forget_places(Config& config) {
  config.name.clear();
  config.data.dir.clear();
  config.profile = {};
  config.checkpoint = {};
  config.workers.devices = config.workers.each_device();
  for (std::string& device : config.workers.devices) device = kind_of(device);
  if (config.center.place.starts_with("cuda:")) config.center.place = "cuda";
}

/// Names that choose which other keys there are.
bool chooses(const std::string& key) {
  return key == "algorithm.name" || key == "data.set" || key.ends_with("].type");
}

/// FNV-1a with 64 bits, its lower 48. Source: the published constants.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
  return (hash ^ hash >> 48) & 0xffffffffffff;
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

std::string identity_of(const Config& config) {
  return fmt::format("{:012x}", hash_of(identity_text(config)));
}

}  // namespace easgd
