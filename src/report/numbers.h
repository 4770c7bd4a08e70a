// Numbers and texts as a page and a table hold them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace easgd::report {

/// Five significant digits, as many as a picture shows; "null" if it is not finite.
std::string short_number(double value);

/// The same, as JSON with the shortest digits.
nlohmann::json rounded(double value);

/// JSON that no browser takes for the end of its <script> element.
std::string safe_in_script(const std::string& json);

}  // namespace easgd::report
