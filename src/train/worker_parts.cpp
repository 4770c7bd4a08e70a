#include "train/worker_parts.h"

#include "data/loader.h"

namespace easgd {

WorkerParts worker_parts(const ResolvedRun& run, std::size_t index) {
  const Config& config = run.config;
  const Data& data = *run.data;
  return {
      .backend = [&run, index] { return run.workers[index].make_backend(); },
      .model =
          [&run, &config](Backend& backend) {
            return backend.compile(run.network,
                                   {.batch = std::size_t(config.workers.batch),
                                    .training = true,
                                    .graphs = config.workers.graphs,
                                    .plan_search = config.workers.plans == PlanChoice::search,
                                    .precision = config.workers.precision,
                                    .seed = std::uint64_t(config.seed)});
          },
      .batches =
          [&run, &config, &data, index](Backend& backend) {
            LoaderOptions options = loader_options(config, data);
            options.worker = std::uint32_t(index);
            options.workers = std::uint32_t(run.workers.size());
            options.resident = config.data.resident && data.split.train->has_one_size() &&
                               backend.can_hold(data.train_size * data.split.train->shape().size());
            options.allocate = [&backend](std::size_t n) { return backend.allocate_mailbox(n); };
            return std::make_unique<Loader>(*data.split.train, options);
          },
  };
}

}  // namespace easgd
