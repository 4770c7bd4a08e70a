#pragma once

#include <functional>
#include <span>

#include "base/view.h"
#include "data/dataset.h"
#include "data/normalisation.h"
#include "nn/network.h"
#include "settings/config.h"

namespace easgd {

/// Calls take(index, probabilities [classes]) for each image of a set, in order, with what the
/// network says at the state [P + S]. Not finite where its scores are not.
/// Images are cut as in tests; `config.evaluate` says how many at a time, on how many threads.
/// Throws: what the set and `take` throw; ConfigError and DeviceError.
void predict(const Config& config, const Network& network, ConstView state, const Dataset& images,
             const Normalisation& normalisation,
             const std::function<void(std::size_t index, std::span<const double>)>& take);

}  // namespace easgd
