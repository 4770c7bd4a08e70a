// What is said of a run that goes on, in one line; the texts for longer views.
#pragma once

#include <cstddef>
#include <string>

#include "runs/run_client.h"

namespace easgd {

/// As in 9:59 or 1:00:00.
std::string clock_text(double seconds);

/// As in "25 %"; a share of 0..1.
std::string share_text(double share);

/// Of a loss, which may be "nan" or "inf".
std::string loss_text(double loss);

/// As in [###.....], in so many columns, of which two are the ends.
std::string bar_text(double fraction, std::size_t columns);

/// The state in at most `room` columns: as much of a bar, the share that is over, times and rate as
/// there is room for. Neither bar nor share if the run's length is not known.
std::string progress_line(const ProgressState& state, std::size_t room);

/// The same without a bar, however long it is.
std::string progress_text(const ProgressState& state);

}  // namespace easgd
