// Sums over devices are tried before they are relied on, as paths between devices are
// (cuda/paths.h).
#pragma once

#include <span>

#include "backend/collective.h"

namespace easgd {

/// Adds up known numbers over the backends, with a term of each and with one term missing.
/// Throws: DeviceError if that is not possible, does not end, or a sum is wrong.
void try_sums(std::span<Backend* const> backends, const MakeCollective& make_collective);

}  // namespace easgd
