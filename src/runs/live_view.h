#pragma once

#include <string>
#include <vector>

#include "runs/run_client.h"

namespace easgd {

/// What there is room for on a terminal.
struct ViewSize {
  std::size_t columns, lines;
};

/// A run that goes on, for a person: the bar, the center, and a row for each worker. On few columns
/// the rows say less of each worker; on few lines fewer workers have one, and the last line counts
/// the others.
std::vector<std::string> live_view(const ProgressState& state, ViewSize size);

}  // namespace easgd
