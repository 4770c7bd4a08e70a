#include "train/worker_parts.h"

#include <utility>

#include "data/loader.h"
#include "data/training_assembly.h"
#include "settings/fault.h"
#include "train/faulty_model.h"

namespace easgd {
namespace {

/// Those that are to be injected. A replay knows what befell its workers.
std::vector<Fault> faults_of(const Config& config, std::size_t worker) {
  if (config.center.order == OrderKind::replay) return {};
  std::vector<Fault> faults = parse_faults(config.debug.fail);
  std::erase_if(faults, [worker](const Fault& fault) {
    return is_of_folder(fault.kind) || fault.worker != worker;
  });
  return faults;
}

}  // namespace

ModelOptions training_options(const Config& config) {
  return {.batch = std::size_t(config.workers.batch),
          .training = true,
          .graphs = config.workers.graphs,
          .plan_search = config.workers.plans == PlanChoice::search,
          .precision = config.workers.precision,
          .seed = std::uint64_t(config.seed)};
}

WorkerParts worker_parts(const ResolvedRun& run, std::size_t index) {
  const Config& config = run.config;
  const Data& data = *run.data;
  WorkerParts parts{
      .backend = [&run, index] { return run.workers[index].make_backend(); },
      .model =
          [&run, &config](Backend& backend) {
            return backend.compile(run.network, training_options(config));
          },
      .batches =
          [&run, &config, &data, index](Backend& backend) {
            LoaderOptions options = loader_options(config, data);
            options.worker = std::uint32_t(index);
            options.workers = std::uint32_t(run.workers.size());
            options.resident = config.data.resident &&
                               can_be_resident(*data.split.train, options.crop) &&
                               backend.can_hold(data.train_size * data.split.train->shape().size());
            options.allocate = [&backend](std::size_t n) { return backend.allocate_mailbox(n); };
            return std::make_unique<Loader>(*data.split.train, options);
          },
  };
  if (auto faults = faults_of(config, index); !faults.empty()) {
    parts.faults = [faults](Backend& backend, std::unique_ptr<Model> model,
                            std::optional<std::uint64_t> began) {
      return with_faults(faults, backend, std::move(model), began);
    };
  }
  return parts;
}

}  // namespace easgd
