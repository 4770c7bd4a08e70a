// What a run has come to at a rung: its first evaluation at or behind it, whether it has paused
// there or not.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "runs/events.h"
#include "runs/manifest.h"
#include "runs/pause_point.h"

namespace easgd {

/// Of the run in a folder, in their order; none if it has left none. Of `steps` those of workers
/// that were gone by then are left out. A line that cannot be read is passed over.
std::vector<EvaluationEvent> evaluations_in(const std::filesystem::path& run_folder);

/// Nothing if the rung is behind all of them.
std::optional<RungResult> result_at(const PausePoint& rung,
                                    std::span<const EvaluationEvent> evaluations);

}  // namespace easgd
