#pragma once

#include <string>
#include <vector>

#include "runs/live_view.h"
#include "sweep/sweep_client.h"

namespace easgd {

/// A sweep that goes on, for a person: how much of it is over, a row for each run that is at work,
/// and the best combinations so far. On few lines there are fewer of both.
std::vector<std::string> sweep_view(const SweepState& state, ViewSize size);

/// How much of it is over, in at most `room` columns.
std::string sweep_line(const SweepState& state, std::size_t room);

}  // namespace easgd
