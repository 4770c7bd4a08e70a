#include "train/memory_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/available_memory.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "base/shown_bytes.h"
#include "data/augmentation.h"
#include "data/training_assembly.h"
#include "exchange/worker_placement.h"
#include "settings/algorithm_keys.h"
#include "train/counting_backend.h"
#include "train/worker_parts.h"

namespace easgd {
namespace {

constexpr const char* kHost = "host";
constexpr const char* kOtherDevice = "another device";
/// Code, libraries, small objects: what a run of a tiny network takes (two Zen 4 cores, 2026-11).
constexpr std::uint64_t kProgram = 24 << 20;

/// Counts what an object keeps.
class StateCounter final : public State {
 public:
  std::uint64_t bytes = 0;
  void vector(const std::string&, View values) override { bytes += values.size_bytes(); }
  void counter(const std::string&, std::uint64_t&) override { bytes += sizeof(std::uint64_t); }
  void number(const std::string&, double&) override { bytes += sizeof(double); }
};

/// What a rule takes of its device, and what a checkpoint has of it.
struct RuleBytes {
  std::uint64_t memory = 0, saved = 0;
};

template <class Make>
RuleBytes bytes_of_rule(const Make& make, const PlannedRun& run) {
  CountingBackend backend;
  const ConstView x0(static_cast<const float*>(nullptr), run.network.parameter_count());
  const auto rule = make(backend, rule_options(run.config.algorithm, run.workers.size()), x0);
  StateCounter state;
  rule->describe(state);
  return {backend.bytes(), state.bytes};
}

/// Bytes, of a device that is there and has a memory of its own.
std::optional<std::uint64_t> free_memory_of(const Placement& placement) {
  if (placement.kind == "cpu") return std::nullopt;
  try {
    check_present(placement, kOtherDevice);
    return Registry<BackendKind>::get(placement.kind).free_memory(placement.options.index);
  } catch (const DeviceError&) {  // told of its models
    return std::nullopt;
  }
}

class Planner {
 public:
  explicit Planner(const PlannedRun& run)
      : run_(run),
        algorithm_(Registry<Algorithm>::get(run.config.algorithm.name)),
        parameters_(run.network.parameter_count() * sizeof(float)),
        statistics_(run.network.statistic_count() * sizeof(float)),
        state_(parameters_ + statistics_),
        ring_(batch_slots(run.config, run.network.input())),
        worker_rule_(bytes_of_rule(algorithm_.worker, run)),
        center_rule_(bytes_of_rule(algorithm_.center, run)) {}

  MemoryPlan plan() {
    add(kHost, "program and libraries", kProgram);
    add_data();
    add_workers();
    add_resident_sets();
    add_center();
    add_evaluation();
    add_checkpoint();
    return std::move(plan_);
  }

 private:
  /// Several of the same are one item.
  void add(const std::string& place, const std::string& what, std::uint64_t bytes) {
    const auto same = [&](const MemoryItem& i) { return i.place == place && i.what == what; };
    const auto it = std::ranges::find_if(plan_.items, same);
    if (it != plan_.items.end()) {
      it->bytes += bytes;
    } else if (bytes > 0) {
      plan_.items.push_back({place, what, bytes});
    }
  }

  void add_data() {
    if (!run_.data) return;
    for (const Dataset* set : {run_.data->split.train.get(), run_.data->split.test.get()}) {
      add(kHost, "data set", set->memory());
    }
  }

  void add_workers() {
    for (const Placement& worker : run_.workers) {
      const std::string place = place_of(worker);
      add(place, "replicas", parameters_);
      add(place, "momentum and averages", worker_rule_.memory - parameters_);
      add(place, "gradients", parameters_ + statistics_ * (keeps_checkpoints() ? 2 : 1));
      add(kHost, "letters and replies", 2 * state_);
      // A reply that has arrived, and what is put aside while a letter leaves.
      if (place != kHost) add(place, "letters and replies", state_ + statistics_);
      add(kHost, "batches", ring_ * bytes_of_batch(run_.config.workers.batch));
      add_model(worker, "activations", training_options(run_.config));
    }
  }

  /// A device keeps the training set once, as long as that leaves room enough (Backend::can_hold).
  void add_resident_sets() {
    if (!run_.data || !run_.asks_devices || !run_.config.data.resident) return;
    const Dataset& set = *run_.data->split.train;
    if (!can_be_resident(set, run_.config.data.cropping())) return;
    const std::uint64_t bytes = run_.data->train_size * set.shape().size();
    std::set<std::string> seen;
    for (const Placement& worker : run_.workers) {
      if (!seen.insert(worker.name()).second) continue;
      const std::optional<std::uint64_t> free = free_memory_of(worker);
      if (free && has_room_for_set(bytes, *free)) add(place_of(worker), "training set", bytes);
    }
  }

  void add_center() {
    for (const std::string& place : center_places()) {
      add(place, "center", parameters_ + center_rule_.memory);
      if (place == run_.center_place)  // a device's, to which all letters come
        add(place, "letters and replies", 2 * state_ * run_.workers.size());
    }
    // The start, and what is left of the center when the master has ended.
    add(kHost, "center", 2 * state_ + statistics_ * run_.workers.size());
  }

  void add_evaluation() {
    const EvaluateConfig& evaluate = run_.config.evaluate;
    const bool recomputes = recomputes_statistics(run_.config, run_.network);
    // The snapshot, and that for a checkpoint.
    add(kHost, "evaluation", (keeps_checkpoints() ? 2 : 1) * state_);
    const std::uint64_t batches = ring_ * (recomputes ? 2 : 1);
    add(kHost, "evaluation", batches * bytes_of_batch(evaluate.batch));
    std::optional<Placement> placement;
    try {
      placement = place_evaluation(run_.config.workers, evaluate);
    } catch (const DeviceError&) {  // the workers' too
      return;
    }
    add(place_of(*placement), "evaluation", state_);
    add_model(*placement, "evaluation", {.batch = std::size_t(evaluate.batch), .training = false});
  }

  void add_checkpoint() {
    if (!keeps_checkpoints()) return;
    const std::uint64_t replicas = run_.workers.size() * (worker_rule_.saved + statistics_);
    add(kHost, "checkpoint", state_ + center_rule_.saved + replicas);
  }

  void add_model(const Placement& placement, const char* what, ModelOptions options) {
    options.precision = run_.config.workers.precision;
    if (placement.kind == "cpu") {
      add(kHost, what, known(placement, options, [&] {
            const auto& predict = Registry<BackendKind>::get(placement.kind).model_memory;
            return predict(run_.network, options, placement.options.threads);
          }));
    } else if (run_.asks_devices) {
      try {
        check_present(placement, kOtherDevice);
        add(placement.name(), what, known(placement, options, [&] {
              const auto backend = placement.make_backend();
              return backend->compile(run_.network, options)->memory();
            }));
      } catch (const DeviceError& e) {
        note(fmt::format("{} on {}", what, e.what()));
      }
    }
  }

  /// The same for all devices of a kind.
  template <class Find>
  std::uint64_t known(const Placement& placement, const ModelOptions& options, const Find& find) {
    const auto key =
        std::tuple(placement.kind, placement.options.threads, options.batch, options.training);
    const auto it = models_.find(key);
    return it != models_.end() ? it->second : models_[key] = find();
  }

  void note(std::string what) {
    if (std::ranges::count(plan_.unknown, what) == 0) plan_.unknown.push_back(std::move(what));
  }

  /// [N][C][H][W] and labels.
  std::uint64_t bytes_of_batch(std::int64_t samples) const {
    return std::uint64_t(samples) *
           (run_.network.input().size() * sizeof(float) + sizeof(std::int32_t));
  }
  static std::string place_of(const Placement& p) { return p.kind == "cpu" ? kHost : p.name(); }
  std::vector<std::string> center_places() const {
    if (run_.center_place.starts_with("cuda")) return {run_.center_place};
    if (run_.center_place == "workers") return names_of(run_.workers);
    return {kHost};
  }
  bool keeps_checkpoints() const { return run_.config.checkpoint.keep > 0; }

  const PlannedRun& run_;
  const Algorithm& algorithm_;
  const std::uint64_t parameters_, statistics_, state_;
  const std::uint64_t ring_;  // batches that a loader has at a time
  const RuleBytes worker_rule_, center_rule_;
  std::map<std::tuple<std::string, int, std::size_t, bool>, std::uint64_t> models_;
  MemoryPlan plan_;
};

/// More than so many models take, one of them the evaluator's, found without making anything.
std::uint64_t rough_bound(const PlannedRun& run, std::size_t models) {
  constexpr std::uint64_t kCopies = 6;  // of a value: itself, its gradient, other layouts
  constexpr std::uint64_t kVectors = 16;
  std::uint64_t values = run.network.input().size();
  for (const Stage& stage : run.network.stages()) values += stage.output.size();
  const auto batch = std::uint64_t(run.config.workers.batch + run.config.evaluate.batch);
  const std::uint64_t of_worker = kCopies * batch * values + kVectors * run.network.state_count();
  return kProgram + sizeof(float) * models * of_worker;
}

/// Throws: DeviceError if the plan has more for the place than `free`.
void check_place(const MemoryPlan& plan, const std::string& place, std::uint64_t free,
                 const std::string& less) {
  std::uint64_t wanted = 0;
  std::vector<std::string> parts;
  for (const MemoryItem& item : plan.items) {
    if (item.place != place || item.what == "data set") continue;  // which is there already
    wanted += item.bytes;
    parts.push_back(fmt::format("{} {}", item.what, shown_bytes(item.bytes)));
  }
  if (wanted <= free) return;
  throw DeviceError(
      fmt::format("{}: the run takes {} of memory beside what is there, and {} are available: {}; "
                  "{} take less",
                  place, shown_bytes(wanted), shown_bytes(free), fmt::join(parts, ", "), less));
}

void check_host(const PlannedRun& run) {
  const auto available = available_memory();
  if (!available || rough_bound(run, run.workers.size() + 1) < *available / 2) return;
  PlannedRun on_host = run;
  on_host.asks_devices = false;
  const MemoryPlan plan = plan_memory(on_host);
  give_back_free_memory();  // that of the pieces that were tried
  check_place(plan, kHost, *available,
              "fewer workers or a smaller workers.batch or evaluate.batch");
}

/// Devices with workers or the center, each with the models that are made there.
std::map<std::string, std::pair<Placement, std::size_t>> devices_of(const PlannedRun& run) {
  std::map<std::string, std::pair<Placement, std::size_t>> devices;
  for (const Placement& worker : run.workers) {
    const auto it =
        devices.try_emplace(worker.name(), worker, 1).first;  // the evaluator's, perhaps
    ++it->second.second;
  }
  if (const auto center = named_cuda_device(run.center_place))
    devices.try_emplace(run.center_place, *center, 1);
  return devices;
}

/// A resident set takes a quarter at most, so that what is small beside the rest has room.
void check_devices(const PlannedRun& run) {
  std::optional<MemoryPlan> plan;
  for (const auto& [name, device] : devices_of(run)) {
    const auto& [placement, models] = device;
    const std::optional<std::uint64_t> free = free_memory_of(placement);
    if (!free || rough_bound(run, models) < *free / 2) continue;
    if (!plan) plan = plan_memory(run);
    // What else keeps a model from being made is its worker's failure, later.
    if (!plan->unknown.empty() && rough_bound(run, models) > *free) {
      throw DeviceError(fmt::format(
          "{}: {} of memory are available, and no model of the run could be made: {}; a "
          "smaller workers.batch or evaluate.batch takes less",
          name, shown_bytes(*free), plan->unknown[0]));
    }
    check_place(
        *plan, name, *free,
        "fewer workers on it, a smaller workers.batch or evaluate.batch, or data.resident = "
        "false");
  }
}

}  // namespace

std::vector<std::string> MemoryPlan::places() const {
  std::vector<std::string> all = {kHost};
  for (const MemoryItem& item : items) {
    if (std::ranges::count(all, item.place) == 0) all.push_back(item.place);
  }
  return all;
}

std::uint64_t MemoryPlan::bytes(const std::string& place) const {
  std::uint64_t sum = 0;
  for (const MemoryItem& item : items) sum += item.place == place ? item.bytes : 0;
  return sum;
}

MemoryPlan plan_memory(const PlannedRun& run) {
  return Planner(run).plan();
}

void check_fits(const PlannedRun& run) {
  check_host(run);
  check_devices(run);
}

}  // namespace easgd
