#pragma once

#include <string_view>

namespace easgd::report {

/// page.html with its style and its scripts in it; embed_page.py makes it when the program is
/// built.
extern const std::string_view kPageSource;

}  // namespace easgd::report
