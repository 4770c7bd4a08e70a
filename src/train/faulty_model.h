// A model that fails as debug.fail says.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "settings/fault.h"

namespace easgd {

/// `model` with the faults of its worker, which is about to take its step `began` after a failure;
/// nothing: its first life, or the rest of it.
std::unique_ptr<Model> with_faults(std::vector<Fault> faults, Backend& backend,
                                   std::unique_ptr<Model> model,
                                   std::optional<std::uint64_t> began);

}  // namespace easgd
