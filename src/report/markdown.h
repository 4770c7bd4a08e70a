// The groups of a study as a table for a README.
#pragma once

#include <string>

#include "report/study.h"

namespace easgd::report {

/// A row a group, the lowest test error first; under it, what the figures are.
std::string markdown_of(const Study& study);

}  // namespace easgd::report
