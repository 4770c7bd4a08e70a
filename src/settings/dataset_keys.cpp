#include "settings/dataset_keys.h"

#include <fmt/format.h>

#include <map>

#include "config/overrides.h"
#include "config/writer.h"

namespace easgd {
namespace {

config::Kinds keys_of(DatasetReader& reader) {
  return config::kinds_of([&](config::Fields& f) { reader.fields(f); });
}

/// Every key that some set has of its own, with those that have it.
std::map<std::string, std::vector<std::string>> owners() {
  std::map<std::string, std::vector<std::string>> result;
  for (const std::string& name : Registry<DatasetEntry>::names())
    for (const auto& [key, kind] : keys_of(*make_dataset_reader(name))) result[key].push_back(name);
  return result;
}

}  // namespace

void dataset_fields(config::Fields& f, DataConfig& data) {
  if (!data.own || data.own->name() != data.set) data.own = make_dataset_reader(data.set);
  data.own->fields(f);
  const config::Kinds own = keys_of(*data.own);
  for (const auto& [key, sets] : owners())
    if (!own.contains(key)) f.foreign(key.c_str());
}

std::vector<std::string> sets_with(const std::string& key) {
  return owners()[key];
}

std::string dataset_help() {
  std::string text;
  for (const std::string& name : Registry<DatasetEntry>::names()) {
    const auto reader = make_dataset_reader(name);
    if (keys_of(*reader).empty()) continue;
    text += fmt::format("\n  data.set = \"{}\"\n", name);
    text += config::to_help([&](config::Fields& f) {
      f.table(
          "data", [&](config::Fields& t) { reader->fields(t); }, "");
    });
  }
  return text;
}

}  // namespace easgd
