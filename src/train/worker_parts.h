#pragma once

#include <cstddef>

#include "exchange/worker.h"
#include "train/resolve.h"

namespace easgd {

/// Of the model with which a worker trains.
ModelOptions training_options(const Config& config);

/// What a worker of a run is made of, on its own thread. The run must outlive it.
WorkerParts worker_parts(const ResolvedRun& run, std::size_t index);

}  // namespace easgd
