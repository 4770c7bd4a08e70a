// Every fused pass over flat vectors, in one list.
//
// A kernel is a struct of pointers and constants with `operator()(i)`, marked to run on the host
// and on a CUDA device. A device runs the kernel for i in [0, count), in any order. To add one: a
// struct in a file of this folder, and its name in the list below.
#pragma once

#include <variant>

#include "kernels/center_step.h"
#include "kernels/local_step.h"
#include "kernels/vector_passes.h"

namespace easgd::kernels {

using Elementwise =
    std::variant<SgdStep, NesterovStep, ElasticPull, AccumulatedStep, AdmmStep, Add, Average,
                 MoveToCenter, Restart, Absorb, Copy, AddPart, CenterMomentum, OuterStep,
                 KeepMoving, SquaredDistance, AddNeighbours>;

}  // namespace easgd::kernels
