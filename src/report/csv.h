// One row a run, for programs.
#pragma once

#include <string>

#include "report/study.h"

namespace easgd::report {

/// RFC 4180, with a line of names first: identity, status, seed, every axis by its dotted key,
/// test_error, best_test_error, time_to_error.<share>, wall_seconds, virtual_seconds,
/// images_per_second, folder. What is not known is empty.
std::string csv_of(const Study& study);

}  // namespace easgd::report
