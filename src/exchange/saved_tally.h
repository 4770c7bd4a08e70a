// Tallies in what a checkpoint holds, of which a file may say anything.
#pragma once

#include <cstdint>
#include <string>

#include "backend/tally.h"
#include "base/saved_state.h"

namespace easgd {

/// A number of samples that was saved as `name`.
/// Throws: DataError if no run can have seen so many, or their sums would have no room.
std::int64_t samples_of(const std::string& name, std::uint64_t saved);

/// As `prefix` + "loss", "hits" and "samples"; hits among the five highest are not kept.
void save_tally(SavedState& saved, const std::string& prefix, const Tally& tally);
/// Throws: DataError.
Tally load_tally(const SavedState& saved, const std::string& prefix);

}  // namespace easgd
