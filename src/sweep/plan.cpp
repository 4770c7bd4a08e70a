#include "sweep/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/error.h"
#include "base/version.h"
#include "config/writer.h"
#include "exchange/worker_placement.h"
#include "settings/config_check.h"
#include "settings/identity.h"
#include "settings/load.h"
#include "sweep/combinations.h"
#include "sweep/estimate.h"
#include "sweep/rungs.h"

namespace easgd {
namespace {

constexpr std::size_t kMostRuns = 100000;
constexpr std::size_t kMostDraws = 1000;  // in a row that add no run

std::string listed(const Combination& combination) {
  std::vector<std::string> parts;
  for (const Setting& s : combination) {
    parts.push_back(fmt::format("{}={}", s.change.key, s.text));
  }
  return fmt::format("{}", fmt::join(parts, " "));
}

/// The configuration of a run, edited until its method has what it takes.
class Candidate {
 public:
  Candidate(const SweepFile& file, const Combination& combination,
            const std::vector<std::string>& overrides)
      : file_(file), combination_(combination), edits_({}, overrides) {
    for (const Setting& setting : file.set) edits_.changes.push_back(setting.change);
    for (const Setting& setting : combination) edits_.changes.push_back(setting.change);
  }

  void set_seed(std::int64_t seed) {
    edits_.changes.push_back(
        {.key = "seed", .toml = std::to_string(seed), .origin = file_.path, .line = 1});
  }

  /// Throws: ConfigError.
  Config config() {
    Config config = read();
    drop_other_couplings(config);
    for (int round = 0; file_.adapt && round < kRounds; ++round) {
      const std::vector<std::string> mends = remedies(config);
      if (mends.empty()) break;
      for (const std::string& mend : mends) adapt(mend);
      config = read();
    }
    // One worker has nobody to meet: all its taus are one.
    const bool single = Registry<Algorithm>::get(config.algorithm.name).single;
    if (file_.adapt && single && sets("algorithm.tau") && config.algorithm.tau != 1) {
      adapt("algorithm.tau=1");
      config = read();
    }
    try {
      config::at_locations(config.locations, [&] { check(config); });
    } catch (const ConfigError& e) {
      const char* advice = file_.adapt || remedies(config).empty()
                               ? ""
                               : ", or adapt = true, which gives each method what it takes";
      throw ConfigError(fmt::format("{}{} (in the run {})", e.what(), advice,
                                    combination_.empty() ? "of the base" : listed(combination_)));
    }
    return config;
  }

  const std::vector<std::string>& adapted() const { return adapted_; }

 private:
  static constexpr int kRounds = 4;

  Config read() const { return read_config(file_.base, edits_); }

  void adapt(const std::string& override) {
    edits_.overrides.push_back(override);
    adapted_.push_back(override);
  }

  bool sets(const std::string& key) const {
    const auto is_it = [&key](const config::Change& change) { return change.key == key; };
    return std::ranges::any_of(edits_.changes, is_it);
  }

  /// rho, alpha and beta are names of one number: what the sweep gives takes the base's place.
  void drop_other_couplings(Config& config) {
    const std::vector<std::string> given = config.algorithm.given_coupling();
    const auto by_sweep = [this](const std::string& key) { return sets("algorithm." + key); };
    if (std::ranges::none_of(given, by_sweep)) return;
    for (const std::string& key : given) {
      if (!by_sweep(key)) edits_.overrides.push_back("algorithm." + key + "=");
    }
    if (given.size() > 1) config = read();
  }

  const SweepFile& file_;
  const Combination& combination_;
  config::Edits edits_;
  std::vector<std::string> adapted_;
};

/// The GPUs of a run, by the numbers that it gives them itself: the sweep decides which ones these
/// are. A configuration with [2, 3] uses two.
class OwnNumbers {
 public:
  void renumber(std::string& device) {
    if (!named_cuda_device(device)) return;
    const auto [known, fresh] = numbers_.emplace(device, numbers_.size());
    device = fmt::format("cuda:{}", known->second);
  }
  std::size_t count() const { return numbers_.size(); }

 private:
  std::map<std::string, std::size_t> numbers_;
};

/// Chooses devices, and a thread for each worker if their number is open.
Demand place(Config& config) {
  if (config.workers.threads == 0) config.workers.threads = 1;
  const bool single = Registry<Algorithm>::get(config.algorithm.name).single;
  config.workers.devices = names_of(named_workers(config.workers, single).placements);
  OwnNumbers numbers;
  Demand demand;
  for (std::string& device : config.workers.devices) {
    demand.cores += device == "cpu" ? std::size_t(config.workers.threads) : 0;
    numbers.renumber(device);
  }
  numbers.renumber(config.center.place);
  demand.devices = numbers.count();
  return demand;
}

/// For people: what the run has; of a table, or a list of them, what the sweep gives it. A list of
/// equal devices as it may be written, "4 x cpu".
std::string value_of(const std::string& key, const Config& config, const Combination& given) {
  const std::vector<std::string>& devices = config.workers.devices;
  if (key == "workers.devices" && std::ranges::count(devices, devices[0]) == std::ssize(devices)) {
    return fmt::format("{} x {}", devices.size(), devices[0]);
  }
  const auto settings = flat_settings(config);
  if (const auto value = settings.find(key); value != settings.end()) {
    return config::unquoted(value->second);
  }
  const auto is_table = [&key](const Setting& setting) {
    return setting.change.key == key && setting.text.find_first_of("{[") == 0;
  };
  const auto table = std::ranges::find_if(given, is_table);
  return table == given.end() ? "" : table->text;
}

class Planner {
 public:
  Planner(const SweepFile& file, const std::vector<std::string>& overrides)
      : file_(file), overrides_(overrides) {
    plan_.name = file.name;
    plan_.axes = file.axes;
    check_overrides();
  }

  std::vector<SweepRun> runs_of(const Combination& combination) {
    add(combination);
    return std::move(plan_.runs);
  }

  SweepPlan plan() {
    check_grid();
    if (file_.method == SweepMethod::random) {
      draw_runs();
    } else {
      const std::size_t count = count_combinations(file_);
      check_count(count);
      for (std::size_t i = 0; i < count; ++i) add(combination_at(file_, i));
    }
    if (plan_.runs.empty()) {
      throw ConfigError(file_.path + ": require: leaves no run");
    }
    plan_.base = base_identity(file_, overrides_);
    plan_.early_stop = file_.early_stop;
    if (file_.early_stop) plan_.rungs = rungs_of(*file_.early_stop, plan_.runs);
    return std::move(plan_);
  }

 private:
  void check_count(std::size_t combinations) const {
    if (combinations <= kMostRuns / std::max<std::size_t>(1, file_.seeds.size())) return;
    throw ConfigError(fmt::format("{}: has more than {} runs", file_.path, kMostRuns));
  }

  /// An axis is not to be set aside by accident.
  void check_overrides() const {
    for (const std::string& text : overrides_) {
      const std::string key = text.substr(0, text.find_first_of(" ="));
      if (std::ranges::count(file_.axes, key) > 0 || (key == "seed" && !file_.seeds.empty())) {
        throw ConfigError(fmt::format("--set {}: {} is an axis of the sweep {}; change it there",
                                      text, key, file_.path));
      }
      if (is_coupling(key) && std::ranges::any_of(given_by_file(), is_coupling)) {
        throw ConfigError(
            fmt::format("--set {}: the sweep {} gives rho, alpha or beta itself; change it there",
                        text, file_.path));
      }
    }
  }

  static bool is_coupling(const std::string& key) {
    return key == "algorithm.rho" || key == "algorithm.alpha" || key == "algorithm.beta";
  }

  /// Every key that the file varies or sets to a value.
  std::vector<std::string> given_by_file() const {
    std::vector<std::string> keys = file_.axes;
    for (const Setting& setting : file_.set) {
      if (!setting.change.toml.empty()) keys.push_back(setting.change.key);
    }
    return keys;
  }

  void check_grid() const {
    if (file_.method == SweepMethod::random) return;
    for (const Axes& axes : file_.groups) {
      for (const Axis& axis : axes) {
        if (!axis.is_open) continue;
        const config::Change& place = axis.points[0][0].change;
        throw ConfigError(fmt::format("{}:{}: {}: a range in a grid needs points or step",
                                      place.origin, place.line, place.key));
      }
    }
  }

  void draw_runs() {
    const auto wanted = std::size_t(file_.runs);
    check_count(wanted);
    std::set<std::string> drawn;
    std::size_t found = 0, in_vain = 0;
    for (std::size_t i = 0; found < wanted && in_vain < kMostDraws; ++i) {
      const Combination combination = draw(file_, i);
      const bool adds = drawn.insert(listed(combination)).second && add(combination);
      found += adds ? 1 : 0;
      in_vain = adds ? 0 : in_vain + 1;
    }
    if (found < wanted) {
      plan_.remarks.push_back(
          fmt::format("random search has found {} combinations, not {}: the values are few, or "
                      "require leaves most of them out",
                      found, wanted));
    }
  }

  /// False if `require` leaves the combination out, or it adds no run.
  bool add(const Combination& combination) {
    const std::size_t before = plan_.runs.size();
    if (file_.seeds.empty()) {
      add(combination, std::nullopt);
    } else {
      for (const std::int64_t seed : file_.seeds) add(combination, seed);
    }
    return plan_.runs.size() > before;
  }

  void add(const Combination& combination, std::optional<std::int64_t> seed) {
    Candidate candidate(file_, combination, overrides_);
    if (seed) candidate.set_seed(*seed);
    Config config = candidate.config();
    const auto settings = flat_settings(config);
    const auto holds = [&](const Constraint& c) { return c.holds(settings); };
    if (!std::ranges::all_of(file_.require, holds)) {
      ++plan_.excluded;
      return;
    }
    SweepRun run;
    config::at_locations(config.locations, [&] { run.demand = place(config); });
    PlannedRun& planned = run.planned;
    planned.identity = identity_of(config);
    planned.folder = "runs/" + planned.identity;
    planned.seed = config.seed;
    planned.adapted = candidate.adapted();
    for (const std::string& key : file_.axes) {
      planned.values[key] = value_of(key, config, combination);
    }
    if (is_new(planned, config)) {
      plan_.most_devices = std::max(plan_.most_devices, run.demand.devices);
      run.speed_class = speed_class_of(config);
      run.config = std::move(config);
      plan_.runs.push_back(std::move(run));
    }
  }

  /// Combinations may come to the same run: methods that take tau 1 only, over a list of taus.
  /// What was changed for any of them is said of that run.
  bool is_new(const PlannedRun& planned, const Config& config) {
    const std::string text = identity_text(config);
    const auto [known, fresh] =
        known_.try_emplace(planned.identity, Known{text, plan_.runs.size()});
    EASGD_CHECK(known->second.text == text, "two configurations of the identity {}",
                planned.identity);
    if (fresh) return true;
    ++plan_.same;
    std::vector<std::string>& adapted = plan_.runs[known->second.index].planned.adapted;
    for (const std::string& change : planned.adapted) {
      if (std::ranges::count(adapted, change) == 0) adapted.push_back(change);
    }
    return false;
  }

  const SweepFile& file_;
  const std::vector<std::string>& overrides_;
  SweepPlan plan_;
  struct Known {
    std::string text;   ///< see identity_text
    std::size_t index;  ///< of the run
  };
  std::map<std::string, Known> known_;  // by identity
};

}  // namespace

PlanEvent SweepPlan::event() const {
  PlanEvent event;
  event.name = name;
  event.program = kVersion;
  event.base = base;
  event.axes = axes;
  for (const PausePoint& rung : rungs) event.rungs.push_back(rung.text());
  if (early_stop) {
    event.eta = early_stop->eta;
    event.metric = config::name_of(early_stop->metric);
  }
  event.total = runs.size();
  for (const SweepRun& run : runs) event.runs.push_back(run.planned);
  return event;
}

std::string base_identity(const SweepFile& file, const std::vector<std::string>& overrides) {
  config::Edits edits{{}, overrides};
  for (const Setting& setting : file.set) edits.changes.push_back(setting.change);
  return identity_of(read_config(file.base, edits)) + (file.adapt ? " adapted" : "");
}

SweepPlan plan_sweep(const SweepFile& file, const std::vector<std::string>& overrides) {
  return Planner(file, overrides).plan();
}

std::vector<SweepRun> plan_combination(const SweepFile& file,
                                       const std::vector<std::string>& overrides,
                                       const Combination& combination) {
  return Planner(file, overrides).runs_of(combination);
}

}  // namespace easgd
