#include "settings/dump.h"

#include <fmt/format.h>

#include "base/error.h"
#include "config/reader.h"
#include "config/writer.h"
#include "settings/config_check.h"
#include "settings/layer_tables.h"
#include "settings/load.h"

namespace easgd {
namespace {

constexpr const char* kDump = "config.toml";

/// A resolved configuration as it would be read again.
Config read_again(const std::string& text) {
  Config config = parse_config(text, kDump, {});
  config::at_locations(config.locations, [&] { check(config); });
  return config;
}

/// The keys that evaluation depends on. Reading back needs the bounds of every key of `data`.
void evaluation_fields(config::Fields& f, Config& config, DataConfig& data) {
  f.integer("seed", config.seed, {}, "");
  f.table(
      "data", [&](config::Fields& t) { data.fields(t); }, "");
  f.table(
      "network", [&](config::Fields& t) { layer_fields(t, "layer", config.network.layers); }, "");
  f.table(
      "workers", [&](config::Fields& t) { t.text("precision", config.workers.precision, ""); }, "");
  f.table(
      "evaluate",
      [&](config::Fields& t) {
        t.integer("batch", config.evaluate.batch, {}, "");
        t.integer("threads", config.evaluate.threads, {}, "");
      },
      "");
}

}  // namespace

std::string dump_config(Config config) {
  return config::to_toml([&](config::Fields& f) { config.fields(f); });
}

std::string dump_replay_config(Config config, bool recomputes) {
  config.name.clear();
  config.data.dir.clear();
  config.data.memory = DataConfig().memory;
  config.workers.devices.clear();
  config.center = {};
  config.stop.seconds.reset();
  config.stop.test_error.reset();
  config.profile = {};
  config.checkpoint = {};
  config.guard = {};
  config.debug = {};
  const WorkersConfig usual;  // what befell workers is in the order's record
  config.workers.on_failure = usual.on_failure;
  config.workers.patience = usual.patience;
  config.workers.refusals = usual.refusals;
  EvaluateConfig evaluate;
  if (recomputes) {
    evaluate.batch = config.evaluate.batch;
    evaluate.threads = config.evaluate.threads;
  }
  config.evaluate = evaluate;
  return dump_config(std::move(config));
}

std::string dump_evaluation_config(Config config) {
  DataConfig data;
  data.set = config.data.set;
  data.crop = config.data.crop;
  data.crop_kind = config.data.crop_kind;
  data.resize = config.data.resize;
  data.test_limit = config.data.test_limit;
  data.mean = config.data.mean;
  data.deviation = config.data.deviation;
  data.own = config.data.own;
  return config::to_toml([&](config::Fields& f) { evaluation_fields(f, config, data); });
}

void check_reads_back(Config config) {
  try {
    const std::string text = dump_config(config);
    if (dump_config(read_again(text)) != text) {
      throw ConfigError(std::string(kDump) + " would be read again as something else");
    }
    const std::string carried = dump_evaluation_config(config);
    if (dump_evaluation_config(parse_config(carried, "easgd.config", {})) != carried) {
      throw ConfigError("easgd.config would be read again as something else");
    }
  } catch (const ConfigError& e) {
    throw ConfigError(fmt::format("the run's own configuration cannot be recorded: {}", e.what()));
  }
}

void check_recordable(Config config) {
  config.data.dir.clear();  // whoever finds the data records it if TOML can hold it
  dump_config(std::move(config));
}

}  // namespace easgd
