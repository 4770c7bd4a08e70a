#include "train/resolve.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "data/content.h"
#include "data/location.h"
#include "settings/dump.h"
#include "settings/identity.h"
#include "settings/load.h"
#include "train/memory_plan.h"

namespace easgd {
namespace {

/// The same for a run that a sweep has made: it chooses devices before it names its runs.
std::string identity_with(Config config, const std::vector<Placement>& workers) {
  config.workers.devices = names_of(workers);
  return identity_of(config);
}

/// The numbers of threads that there are: the bits of a run depend on them.
void record_threads(Config& config, const std::vector<Placement>& workers) {
  const auto on_cpu = std::ranges::find(workers, "cpu", &Placement::kind);
  config.workers.threads = (on_cpu == workers.end() ? workers.begin() : on_cpu)->options.threads;
  config.evaluate.threads = place_evaluation(config.workers, config.evaluate).options.threads;
}

/// Threads of a run beside the main one and those that read data: master, evaluator, clock, keeper,
/// workers, and the teams of those on the CPU.
std::size_t count_threads(const Config& config, const std::vector<Placement>& workers,
                          const CenterPlacement& center) {
  std::size_t count = std::size_t(center.threads) + 2;  // the master's team, clock and keeper
  for (const Placement& worker : workers) count += std::size_t(worker.options.threads);
  return count + std::size_t(place_evaluation(config.workers, config.evaluate).options.threads);
}

/// Threads of those that compute on the CPU.
std::size_t count_computing(const std::vector<Placement>& workers) {
  std::size_t count = 0;
  for (const Placement& worker : workers)
    if (worker.kind == "cpu") count += std::size_t(worker.options.threads);
  return count;
}

void record_normalisation(DataConfig& config, const Normalisation& found) {
  config.mean.assign(found.mean.begin(), found.mean.end());
  config.deviation.assign(found.deviation.begin(), found.deviation.end());
}

/// The network of a run that is to train and test it.
Network network_of(const Config& config, const Data& data) {
  Network network = make_network(config, data.split.train->shape(), data.split.train->classes());
  check_batch("workers.batch", config.workers.batch, network);
  if (recomputes_statistics(config, network)) {
    check_batch("evaluate.batch", config.evaluate.batch, network);
  }
  return network;
}

/// Records where the files of the set were found, so that the run repeats from another folder.
/// Returns a warning if config.toml cannot hold that, else nothing.
std::string record_folder(DataConfig& config, const std::string& source) {
  const bool has_files = config.reader()->files().has_value();
  if (has_files && config.dir.empty()) config.dir = anchored(source);
  if (is_utf8(config.dir)) return "";
  const std::string dir = std::exchange(config.dir, "");
  if (!has_files) return "";
  return dir +
         ": is no UTF-8, so that config.toml leaves data.dir out; to repeat or evaluate the run "
         "set $EASGD_DATA to that folder";
}

}  // namespace

ResolvedRun resolve(Config config) {
  check_recordable(config);
  const Algorithm& algorithm = Registry<Algorithm>::get(config.algorithm.name);
  WorkerPlacement workers = place_workers(config.workers, algorithm.single);
  std::string identity = identity_with(config, workers.placements);
  std::string data_identity = identity_of(config.data);
  CenterPlacement center = place_center(config, workers.placements);
  record_threads(config, workers.placements);
  auto data = std::make_unique<Data>(config, count_threads(config, workers.placements, center),
                                     count_computing(workers.placements));
  if (config.data.mean.empty()) record_normalisation(config.data, data->normalisation);
  const std::optional<std::uint64_t> data_content = content_of(data->split);
  Network network = network_of(config, *data);
  check_fits({.config = config,
              .network = network,
              .workers = workers.placements,
              .center_place = center.name,
              .data = data.get()});
  WorkerSchedule schedule(config, workers.placements.size(), data->train_size);
  Buffer state0 = initial_state(config, network);
  std::string folder_warning = record_folder(config.data, data->split.source);
  config.workers.devices = names_of(workers.placements);
  config.center.place = center.name;
  check_reads_back(config);
  batch_slots(config, data->split.train->shape());  // before anybody needs them
  std::vector<std::string> warnings = {std::move(folder_warning), workers.remark, center.remark};
  std::erase(warnings, "");
  std::string replay_config = dump_replay_config(config, recomputes_statistics(config, network));
  return {.config = std::move(config),
          .identity = std::move(identity),
          .algorithm = &algorithm,
          .workers = std::move(workers.placements),
          .center = std::move(center),
          .data = std::move(data),
          .data_identity = std::move(data_identity),
          .data_content = data_content,
          .network = std::move(network),
          .schedule = std::move(schedule),
          .state0 = std::move(state0),
          .replay_config = std::move(replay_config),
          .warnings = std::move(warnings)};
}

}  // namespace easgd
