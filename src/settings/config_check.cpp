#include "settings/config_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "base/error.h"
#include "base/utf8.h"
#include "settings/algorithm_keys.h"
#include "settings/dataset_keys.h"
#include "settings/fault.h"

namespace easgd {
namespace {

/// What an algorithm or a data set does not take as it is configured, and the overrides that mend
/// it.
struct Mistake {
  std::string key, why;
  std::vector<std::string> remedies;
};

void check_exchange(const Algorithm& entry, const AlgorithmConfig& algorithm,
                    std::vector<Mistake>& found) {
  if (entry.every_step && algorithm.tau != 1) {
    found.push_back(
        {"algorithm.tau",
         fmt::format("exchanges in every step: expected tau 1, found {}", algorithm.tau),
         {"algorithm.tau=1"}});
  }
  if (entry.every_step && algorithm.tau_schedule.kind != ScheduleKind::constant) {
    found.push_back({"algorithm.tau_schedule",
                     "exchanges in every step: its tau has no schedule",
                     {"algorithm.tau_schedule="}});
  }
  if (entry.fixed_rho && algorithm.rho_schedule.kind != ScheduleKind::constant) {
    found.push_back({"algorithm.rho_schedule",
                     "scales its multipliers by rho, which therefore has no schedule",
                     {"algorithm.rho_schedule="}});
  }
  if (entry.exchange != Exchange::any && entry.exchange != algorithm.exchange) {
    const std::string only = config::name_of(entry.exchange);
    found.push_back(
        {"algorithm.exchange",
         fmt::format("is {}: found exchange \"{}\"", only, config::name_of(algorithm.exchange)),
         {"algorithm.exchange=" + only}});
  }
}

/// Of rho, alpha and beta an elastic method takes one, an averaging one alpha, the others none.
void check_coupling(const Algorithm& entry, const AlgorithmConfig& algorithm,
                    std::vector<Mistake>& found) {
  const std::vector<std::string> given = algorithm.given_coupling();
  const std::string last = given.empty() ? "algorithm" : "algorithm." + given.back();
  const std::string names = given.empty() ? "none" : fmt::format("{}", fmt::join(given, " and "));
  std::vector<std::string> remedies;
  for (const std::string& key : given) remedies.push_back("algorithm." + key + "=");
  if (entry.coupling == Coupling::none && !given.empty()) {
    found.push_back({last, "has no elastic force: found " + names, remedies});
  }
  if (entry.coupling == Coupling::elastic && given.size() != 1) {
    remedies = {given.empty() ? "algorithm.beta=0.9" : remedies.back()};
    found.push_back({last, "takes exactly one of rho, alpha, beta: found " + names, remedies});
  }
  if (entry.coupling == Coupling::alpha && (given.size() != 1 || !algorithm.alpha)) {
    std::erase(remedies, "algorithm.alpha=");
    const std::string wrong =
        remedies.empty() ? "algorithm" : remedies[0].substr(0, remedies[0].size() - 1);
    if (!algorithm.alpha) remedies.push_back(fmt::format("algorithm.alpha={}", entry.usual_alpha));
    found.push_back({wrong, "takes alpha alone, a moving rate: found " + names, remedies});
  }
}

/// Keys of `table` that are given though others have them: `owners_of` names these.
void check_foreign(const std::vector<std::string>& foreign, const std::string& table,
                   std::vector<std::string> (*owners_of)(const std::string&),
                   std::vector<Mistake>& found) {
  for (const std::string& key : foreign) {
    if (!key.starts_with(table + ".")) continue;
    const std::string name = key.substr(table.size() + 1);
    found.push_back(
        {key,
         fmt::format("has no {}, which is a key of {}", name, fmt::join(owners_of(name), " and ")),
         {key + "="}});
  }
}

/// Whoever begins again has nothing but the center.
void check_restart(const Algorithm& entry, const WorkersConfig& workers,
                   std::vector<Mistake>& found) {
  if (workers.on_failure != OnFailure::restart || entry.begins_again) return;
  found.push_back({"workers.on_failure",
                   "has in its center what only a worker knows, so that none can begin again: "
                   "found on_failure \"restart\"",
                   {"workers.on_failure=continue"}});
}

/// Whoever begins again does not know what its loss was like, nor which cuts it had made.
void check_plateau(const AlgorithmConfig& algorithm, const WorkersConfig& workers) {
  if (algorithm.schedule.kind != ScheduleKind::plateau) return;
  if (algorithm.schedule.cuts.empty()) {
    throw KeyError("algorithm.schedule.cuts",
                   "is empty; expected factors of the learning rate, as in [0.2, 0.5]");
  }
  if (workers.on_failure != OnFailure::restart) return;
  throw KeyError("workers.on_failure",
                 "\"restart\" and algorithm.schedule.kind \"plateau\" do not go together: a worker "
                 "that begins again does not know its cuts; expected \"continue\" or \"stop\"");
}

/// Throws: KeyError that names all mistakes, with the location of the first.
void report(const std::string& whose, const std::vector<Mistake>& found) {
  if (found.empty()) return;
  std::string why, remedies;
  for (const Mistake& mistake : found) {
    why += (why.empty() ? " " : ", ") + mistake.why;
    for (const std::string& remedy : mistake.remedies) remedies += " --set " + remedy;
  }
  throw KeyError(found[0].key, fmt::format("{}{}; as in{}", whose, why, remedies));
}

void check_workers(const Algorithm& entry, const WorkersConfig& workers,
                   std::vector<Mistake>& found) {
  const std::vector<std::string> devices = workers.each_device();
  if (!entry.single || devices.size() < 2) return;
  found.push_back({"workers.devices",
                   fmt::format("has one worker: found {} devices", devices.size()),
                   {"workers.devices=" + devices[0]}});
}

/// All letters of a round meet the same center: there is no order to choose, but that of a clock.
void check_synchronous(const AlgorithmConfig& algorithm, const CenterConfig& center,
                       std::vector<Mistake>& found) {
  if (algorithm.exchange != Exchange::synchronous || center.order == OrderKind::free ||
      center.order == OrderKind::virtual_time) {
    return;
  }
  std::vector<std::string> remedies = {"center.order=free"};
  if (!center.replay.empty()) remedies.push_back("center.replay=");
  found.push_back({"center.order",
                   fmt::format("has its own order in a synchronous exchange: found \"{}\"",
                               config::name_of(center.order)),
                   remedies});
}

std::vector<Mistake> mistakes_of_algorithm(const Config& config) {
  const AlgorithmConfig& algorithm = config.algorithm;
  const Algorithm& entry = Registry<Algorithm>::get(algorithm.name);
  std::vector<Mistake> found;
  check_exchange(entry, algorithm, found);
  check_coupling(entry, algorithm, found);
  check_workers(entry, config.workers, found);
  check_restart(entry, config.workers, found);
  check_synchronous(algorithm, config.center, found);
  check_foreign(config.locations.foreign, "algorithm", owners_of, found);
  return found;
}

void check_dataset(const Config& config) {
  std::vector<Mistake> found;
  check_foreign(config.locations.foreign, "data", sets_with, found);
  report(config.data.set, found);
}

void check_crop(const DataConfig& data) {
  const bool resized = data.crop_kind == CropKind::resized;
  if (resized && data.pad > 0) {
    throw KeyError("data.pad", "is of windows; expected 0 where data.crop_kind is \"resized\"");
  }
  if (!resized && data.crop_area != CropOptions().least_area) {
    throw KeyError("data.crop_area",
                   "is of parts that are resized; expected data.crop_kind = "
                   "\"resized\" beside it");
  }
}

void check_profile(const ProfileConfig& profile) {
  const std::vector<double>& steps = profile.steps;
  if (steps.empty()) return;
  const auto whole = [](double step) { return step == std::floor(step); };
  if (steps.size() != 2 || !std::ranges::all_of(steps, whole) || steps[0] >= steps[1]) {
    throw KeyError("profile.steps", fmt::format("expected two steps, the first before the last, as "
                                                "in [100, 200]; found [{}]",
                                                fmt::join(steps, ", ")));
  }
}

/// A separator of paths, or a control character.
bool no_letter_of_a_name(unsigned char c) {
  return c == '/' || c < 0x20 || c == 0x7f;
}

/// The system would take such a path to end there.
void check_path(const char* key, const std::string& path) {
  if (path.find('\0') != path.npos) {
    throw KeyError(key, fmt::format("expected a path; found {:?}, which holds a NUL", path));
  }
}

void check_schedules(const AlgorithmConfig& algorithm, bool length_known) {
  for (const auto& [key, schedule] : {std::pair{"schedule", &algorithm.schedule},
                                      {"tau_schedule", &algorithm.tau_schedule},
                                      {"rho_schedule", &algorithm.rho_schedule}}) {
    if ((schedule->kind == ScheduleKind::steps) == schedule->at.empty()) {
      throw KeyError(fmt::format("algorithm.{}", key),
                     "kind = \"steps\" and at = [...] go together");
    }
    if (schedule->kind == ScheduleKind::plateau && schedule != &algorithm.schedule) {
      throw KeyError(fmt::format("algorithm.{}.kind", key),
                     "\"plateau\" cuts learning rates alone; expected constant, steps, power or "
                     "cosine");
    }
    if (schedule->needs_length() && !length_known) {
      throw KeyError(fmt::format("algorithm.{}", key),
                     fmt::format("its fractions need a known length; give stop.epochs, "
                                 "stop.steps or {}.length",
                                 key));
    }
  }
}

void check_order(const CenterConfig& center, const StopConfig& stop) {
  if ((center.order == OrderKind::replay) != !center.replay.empty()) {
    throw KeyError(center.replay.empty() ? "center.order" : "center.replay",
                   "order = \"replay\" and replay = \"<order.bin>\" go together");
  }
  if (center.order == OrderKind::virtual_time && (stop.seconds || stop.test_error)) {
    throw KeyError(stop.seconds ? "stop.seconds" : "stop.test_error",
                   "a run in virtual time ends after epochs or steps; remove it");
  }
}

/// A worker that is given up may still write to where its letters lie.
void check_failures(const WorkersConfig& workers, const CenterConfig& center) {
  if (center.place == "auto" || center.place == "pinned") return;
  const auto refuse = [&](const char* key) {
    throw KeyError(key, fmt::format("needs the center in host memory; found center.place \"{}\"",
                                    center.place));
  };
  if (workers.on_failure == OnFailure::restart) refuse("workers.on_failure");
  if (workers.patience > 0) refuse("workers.patience");
}

void check_guard(const GuardConfig& guard) {
  if (guard.spike > 0 && guard.action == GuardAction::none) {
    throw KeyError("guard.spike",
                   "does nothing while guard.action is \"none\"; expected \"stop\" or \"back\"");
  }
}

void check_faults(const DebugConfig& debug, const WorkersConfig& workers) {
  const std::vector<std::string> devices = workers.each_device();
  for (const Fault& fault : parse_faults(debug.fail)) {
    if (devices == std::vector<std::string>{"auto"} || fault.worker < devices.size()) continue;
    throw KeyError("debug.fail", fmt::format("\"{}\": expected a worker below {}, found {}",
                                             fault.sentence, devices.size(), fault.worker));
  }
}

}  // namespace

void check_name(const std::string& name) {
  const auto is_space = [](char c) { return c == ' '; };
  if (!is_utf8(name) || std::ranges::all_of(name, is_space) ||
      std::ranges::any_of(name, no_letter_of_a_name)) {
    throw KeyError("name",
                   fmt::format("expected a word to name the run folder with; found {:?}", name));
  }
}

void check(const Config& config) {
  check_name(config.name);
  check_path("data.dir", config.data.dir);
  check_dataset(config);
  check_crop(config.data);
  check_path("network.init", config.network.init);
  check_path("center.replay", config.center.replay);
  report(config.algorithm.name, mistakes_of_algorithm(config));
  const StopConfig& stop = config.stop;
  if (!stop.epochs && !stop.steps && !stop.seconds && !stop.test_error) {
    throw KeyError("stop", "give at least one of epochs, steps, seconds, test_error");
  }
  check_schedules(config.algorithm, stop.epochs || stop.steps);
  check_plateau(config.algorithm, config.workers);
  check_order(config.center, stop);
  check_failures(config.workers, config.center);
  check_guard(config.guard);
  check_faults(config.debug, config.workers);
  check_profile(config.profile);
  if (config.data.mean.size() != config.data.deviation.size()) {
    throw KeyError(config.data.mean.empty() ? "data.deviation" : "data.mean",
                   "mean and deviation must have one value a channel each, or both be empty");
  }
}

std::vector<std::string> remedies(const Config& config) {
  std::vector<std::string> all;
  for (const Mistake& mistake : mistakes_of_algorithm(config)) {
    all.insert(all.end(), mistake.remedies.begin(), mistake.remedies.end());
  }
  return all;
}

}  // namespace easgd
