// Which of cuDNN's plans for a convolution is taken: the first of its ranking that runs, or the
// fastest here. To find that, the first few are timed, once for a device and a cuDNN, and the
// choice is kept (plan_choices.h).
#pragma once

#include <optional>

#include "backend/cuda/convolution_plan.h"
#include "backend/cuda/plan_choices.h"

namespace easgd::cuda {

/// The first plan of the ranking that runs, for one may be made that does not; nothing if there is
/// none at all.
/// Throws: DeviceError if none runs.
std::optional<ConvolutionPlan> first_plan(cudnnHandle_t handle, cudaStream_t stream,
                                          const Convolution& convolution, Role role);

/// The fastest plan on the current device; nothing if there is none at all.
std::optional<ConvolutionPlan> fastest_plan(cudnnHandle_t handle, cudaStream_t stream,
                                            const Convolution& convolution, Role role,
                                            PlanChoices& choices);

}  // namespace easgd::cuda
