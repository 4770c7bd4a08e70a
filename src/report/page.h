// The report as one HTML file, which needs no other file and no network.
#pragma once

#include <filesystem>
#include <string>

#include "report/study.h"

namespace easgd::report {

std::string page_of(const Study& study);

/// Whether a file is a page that this program has made: it may be replaced without being told to.
bool is_own_page(const std::filesystem::path& file);

}  // namespace easgd::report
