#include "train/from_center.h"

#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "base/write_file.h"
#include "evaluate/run_inputs.h"
#include "nn/safetensors.h"
#include "runs/center_metadata.h"
#include "runs/checkpoint_folder.h"
#include "runs/run_folder.h"
#include "settings/load.h"
#include "train/resumed_run.h"

namespace easgd {
namespace {

/// Of a run; its data are read if their shape is not known without.
Network network_of(const std::filesystem::path& run, const Config& config) {
  const std::filesystem::path center = run / "center.safetensors";
  if (std::filesystem::exists(center)) {
    if (const auto on = trained_on(safetensors::read(center).metadata, center))
      return make_network(config, on->shape, on->classes);
  }
  const auto reader = config.data.reader();
  if (const auto facts = reader->facts()) return make_network(config, facts->shape, facts->classes);
  const DataSplit split = reader->read({config.data.dir, std::uint64_t(config.seed)});
  return make_network(config, split.train->shape(), split.train->classes());
}

}  // namespace

TakenCenter take_center(const std::filesystem::path& run,
                        const std::function<void(const std::string&)>& warn) {
  const StillRun still(run);
  const auto checkpoint = CheckpointFolder(run).look(warn);
  if (!checkpoint) {
    throw DataError(run.string() + ": has no checkpoint whose center another run could start from" +
                    advice_of_center(run));
  }
  const Network network =
      network_of(run, parse_config(config_in(*checkpoint), "the checkpoint", {}));
  const SavedState& center = checkpoint->get("center");
  Buffer state = host_buffer(network.state_count());
  const auto& parameters = center.vector("center", network.parameter_count());
  const auto& statistics = center.vector("statistics", network.statistic_count());
  copy_on_host(parameters, View(state).first(parameters.size()));
  copy_on_host(statistics, View(state).subspan(parameters.size()));
  const std::map<std::string, std::string> metadata = {
      {"easgd.version", std::to_string(checkpoint->version)}};
  TakenCenter start{checkpoint->version,
                    run / fmt::format("center-{}.safetensors", checkpoint->version)};
  write_file(start.file,
             [&](std::ostream& stream) { safetensors::write(stream, network, state, metadata); });
  return start;
}

}  // namespace easgd
