#include "sweep/sweep_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/limits.h"
#include "base/unreadable.h"
#include "config/writer.h"
#include "settings/algorithm_keys.h"
#include "settings/config.h"
#include "settings/config_check.h"
#include "settings/dataset_keys.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;
using config::Value;

constexpr double kMostSeeds = 10000, kMostRuns = 100000;

/// The file before anybody has made sense of it.
struct Raw {
  std::string name, base;
  std::optional<Value> seeds, set, axes, zip, group, require, concurrent, early_stop;
  SweepMethod method = SweepMethod::grid;
  std::int64_t runs = 0, runs_per_device = 1;
  bool adapt = false;

  void fields(config::Fields& f);
};

void Raw::fields(config::Fields& f) {
  f.text("name", name, "names the folder sweeps/<name>; empty: the file's own name");
  f.text("base", base, "the configuration that is varied; relative to this file");
  f.any("seeds", seeds, "integer or list of integers",
        "seeds of every combination: how many from 1 on, or which; empty: the base's");
  f.any("set", set, "table of dotted keys", "keys of every run; \"\" takes a key of the base away");
  f.any("axes", axes, "table of dotted keys",
        "a list of values, or {min, max, points | step, scale}, for each key; all are crossed");
  f.any("zip", zip, "list of tables of dotted keys",
        "[[zip]]: keys that go through their values together, crossed with [axes]");
  f.any("group", group, "list of tables of dotted keys",
        "[[group]]: axes of its own, crossed with [axes]; groups are joined");
  f.any("require", require, "list of texts",
        "what has to hold of a run's keys, as \"algorithm.tau * algorithm.rho <= 10\"; other "
        "combinations are left out");
  config::choice(f, "method", method,
                 "all combinations, or `runs` of them drawn from the lists and ranges");
  f.integer("runs", runs, {0, kMostRuns}, "of method = \"random\", for each seed");
  f.flag("adapt", adapt,
         "give each method what it takes: exchange, tau 1, no coupling or its usual one, one "
         "worker; the table says so");
  f.any("concurrent", concurrent, "\"auto\" or integer",
        "runs at once; \"auto\": as many as cores and devices have room for");
  f.integer("runs_per_device", runs_per_device, {1, 64}, "runs at once on each GPU");
  f.any("early_stop", early_stop, "table",
        "{method = \"halving\", eta = 3, first = {epochs = 1}, metric = \"test_error\"}: runs "
        "pause at first, eta x first and so on; the best of each eta go on");
}

[[noreturn]] void fail(const Value& value, const std::string& key, const std::string& expected) {
  throw ConfigError(
      fmt::format("{}: {}: expected {}; found {}", value.location(), key, expected, value.toml));
}

/// `or_else` is what may stand there instead.
std::int64_t integer_of(const Value& value, const std::string& key, config::Bounds bounds,
                        const std::string& or_else = "") {
  const std::string expected =
      fmt::format("{}an integer in {}..{}", or_else, bounds.low, bounds.high);
  if (!value.is_integer) fail(value, key, expected);
  if (*value.number < bounds.low || *value.number > bounds.high) fail(value, key, expected);
  return std::int64_t(*value.number);
}

std::vector<std::int64_t> seeds_of(const std::optional<Value>& value) {
  if (!value) return {};
  std::vector<std::int64_t> seeds;
  if (value->kind == Value::Kind::list) {
    for (const Value& item : value->items) seeds.push_back(integer_of(item, "seeds", {0, 9e15}));
  } else {
    const std::int64_t count = integer_of(*value, "seeds", {1, kMostSeeds});
    for (std::int64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  }
  if (seeds.empty()) fail(*value, "seeds", "at least one seed");
  return seeds;
}

const Value& table_of(const Value& value, const char* key) {
  if (value.kind != Value::Kind::table) fail(value, key, "a table of dotted keys");
  return value;
}

/// The tables of [[key]].
std::vector<Value> tables_of(const std::optional<Value>& value, const char* key) {
  if (!value) return {};
  if (value->kind != Value::Kind::list) {
    fail(*value, key, fmt::format("a list of tables, written as [[{}]]", key));
  }
  for (const Value& item : value->items) table_of(item, key);
  return value->items;
}

/// Adds the axes of `table`, in which [[zip]] may stand.
void add_axes(const Value& table, const config::Kinds& kinds, Axes& axes) {
  Value plain = table;
  std::erase_if(plain.members, [](const auto& member) { return member.first == "zip"; });
  for (const auto& [key, value] : flat_members(plain)) axes.push_back(axis_of(key, value, kinds));
  const Value* zips = table.member("zip");
  if (!zips) return;
  for (const Value& zip : tables_of(*zips, "zip")) axes.push_back(zipped_axis_of(zip, kinds));
}

/// A key that some algorithm or data set has of its own.
bool is_own_key(const std::string& key) {
  const auto name_in = [&key](const char* table) {
    return key.starts_with(table) ? key.substr(std::string(table).size()) : std::string();
  };
  return !owners_of(name_in("algorithm.")).empty() || !sets_with(name_in("data.")).empty();
}

/// A key is varied or set in one place.
void check_once(const Axes& axes, const std::vector<Setting>& set) {
  std::vector<std::string> seen;
  for (const Setting& setting : set) seen.push_back(setting.change.key);
  for (const Axis& axis : axes) {
    for (std::size_t i = 0; i < axis.keys.size(); ++i) {
      const config::Change& place = axis.points[0][i].change;
      const auto where = fmt::format("{}:{}: {}", place.origin, place.line, axis.keys[i]);
      if (axis.keys[i] == "seed") {
        throw ConfigError(where + ": seeds are an axis of their own: seeds = 3, or a list");
      }
      if (std::ranges::count(seen, axis.keys[i]) > 0) {
        throw ConfigError(where + ": is set or varied twice; give it once for each group");
      }
      seen.push_back(axis.keys[i]);
    }
  }
}

void check_method(const SweepFile& file, const config::Locations& locations) {
  const bool random = file.method == SweepMethod::random;
  if (random != (file.runs > 0)) {
    const auto at = locations.keys.find(random ? "method" : "runs");
    throw ConfigError(fmt::format("{}: method = \"random\" and runs = <n> go together",
                                  at == locations.keys.end() ? file.path : at->second));
  }
}

void note_axes(SweepFile& file) {
  for (const Axes& axes : file.groups) {
    for (const Axis& axis : axes) {
      for (const std::string& key : axis.keys) {
        if (std::ranges::count(file.axes, key) == 0) file.axes.push_back(key);
      }
    }
  }
}

/// Relative to the sweep file, so that it may be started from any folder.
/// Throws: KeyError.
std::string base_of(const SweepFile& file, const std::string& base) {
  if (base.empty()) {
    throw ConfigError(file.path +
                      ": base: missing; expected a configuration, relative to this "
                      "file, as in base = \"../cifar10_virtual.toml\"");
  }
  const std::string path = (fs::path(file.path).parent_path() / base).lexically_normal().string();
  if (const std::string why = why_unreadable(path); !why.empty()) {
    throw KeyError(
        "base", fmt::format("{}: {}; expected a configuration, relative to this file", path, why));
  }
  return path;
}

}  // namespace

SweepFile read_sweep_file(const std::string& path) {
  if (path.empty()) throw ConfigError("expected a sweep file; found an empty name");
  Raw raw;
  SweepFile file;
  file.path = path;
  const config::Locations locations = config::read_file(
      path, {}, [&](config::Fields& f) { raw.fields(f); },
      "a sweep (see configs/sweeps/ and `easgd help sweep`)");
  const config::Kinds kinds = config::kinds_of([](config::Fields& f) { Config().fields(f); });
  file.name = raw.name.empty() ? fs::path(path).stem().string() : raw.name;
  config::at_locations(locations, [&] {
    check_name(file.name);
    file.base = base_of(file, raw.base);
  });
  file.seeds = seeds_of(raw.seeds);
  if (raw.set) {
    for (const auto& [key, value] : flat_members(table_of(*raw.set, "set"))) {
      file.set.push_back(setting_of(key, value, kinds));
    }
  }
  Axes common;
  if (raw.axes) add_axes(table_of(*raw.axes, "axes"), kinds, common);
  for (const Value& zip : tables_of(raw.zip, "zip")) {
    common.push_back(zipped_axis_of(zip, kinds));
  }
  for (const Value& group : tables_of(raw.group, "group")) {
    file.groups.emplace_back();
    add_axes(group, kinds, file.groups.back());
    file.groups.back().insert(file.groups.back().end(), common.begin(), common.end());
  }
  if (file.groups.empty()) file.groups.push_back(common);
  for (const Axes& axes : file.groups) check_once(axes, file.set);
  note_axes(file);
  if (raw.require)
    file.require = constraints_of(*raw.require, [&](const std::string& key) {
      return kinds.contains(key) || is_own_key(key);
    });
  file.method = raw.method;
  file.runs = raw.runs;
  file.adapt = raw.adapt;
  if (raw.concurrent && raw.concurrent->text != "auto") {
    file.concurrent = integer_of(*raw.concurrent, "concurrent", {1, 4096}, "\"auto\" or ");
  }
  file.runs_per_device = raw.runs_per_device;
  if (raw.early_stop) file.early_stop = early_stop_of(*raw.early_stop);
  check_method(file, locations);
  return file;
}

std::string sweep_help() {
  return config::to_help([raw = Raw()](config::Fields& f) mutable { raw.fields(f); });
}

}  // namespace easgd
