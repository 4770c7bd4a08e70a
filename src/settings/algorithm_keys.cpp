#include "settings/algorithm_keys.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "config/overrides.h"
#include "config/writer.h"

namespace easgd {
namespace {

constexpr const char* kInline = "algorithm";  // the table of all algorithms' common keys

config::Kinds keys_of(AlgorithmOptions& options) {
  return config::kinds_of([&](config::Fields& f) { options.fields(f); });
}

/// Every key in [algorithm] that some algorithm has of its own, with those that have it.
std::map<std::string, std::vector<std::string>> inline_keys() {
  std::map<std::string, std::vector<std::string>> owners;
  for (const std::string& name : Registry<Algorithm>::names()) {
    const auto options = make_options(Registry<Algorithm>::get(name));
    if (!options || options->table() != kInline) continue;
    for (const auto& [key, kind] : keys_of(*options)) owners[key].push_back(name);
  }
  return owners;
}

/// Every table that some algorithm has of its own, with its keys at their defaults.
std::map<std::string, std::shared_ptr<AlgorithmOptions>> tables() {
  std::map<std::string, std::shared_ptr<AlgorithmOptions>> result;
  for (const std::string& name : Registry<Algorithm>::names()) {
    std::shared_ptr<AlgorithmOptions> options = make_options(Registry<Algorithm>::get(name));
    if (options && options->table() != kInline) result.emplace(options->table(), options);
  }
  return result;
}

}  // namespace

void own_fields(config::Fields& f, AlgorithmConfig& algorithm) {
  if (algorithm.own_of != algorithm.name) algorithm.choose(algorithm.name);
  const bool is_here = algorithm.own && algorithm.own->table() == kInline;
  const config::Kinds own = is_here ? keys_of(*algorithm.own) : config::Kinds();
  if (is_here) algorithm.own->fields(f);
  for (const auto& [key, owners] : inline_keys()) {
    if (!own.contains(key)) f.foreign(key.c_str());
  }
}

void own_tables(config::Fields& f, AlgorithmConfig& algorithm) {
  for (const auto& [table, defaults] : tables()) {
    if (algorithm.own && algorithm.own->table() == table) {
      f.table(
          table.c_str(), [&](config::Fields& t) { algorithm.own->fields(t); },
          "of this algorithm alone");
    } else {
      f.foreign_table(table.c_str(), [&own = *defaults](config::Fields& t) { own.fields(t); });
    }
  }
}

std::vector<std::string> owners_of(const std::string& key) {
  return inline_keys()[key];
}

RuleOptions rule_options(const AlgorithmConfig& algorithm, std::size_t workers) {
  if (algorithm.own_of == algorithm.name) return {.workers = workers, .own = algorithm.own};
  return {.workers = workers, .own = make_options(Registry<Algorithm>::get(algorithm.name))};
}

std::string algorithm_help() {
  std::string text;
  for (const std::string& name : Registry<Algorithm>::names()) {
    const auto options = make_options(Registry<Algorithm>::get(name));
    if (!options) continue;
    text += fmt::format("\n  algorithm.name = \"{}\"\n", name);
    text += config::to_help([&](config::Fields& f) {
      f.table(
          options->table().c_str(), [&](config::Fields& t) { options->fields(t); }, "");
    });
  }
  return text;
}

}  // namespace easgd
