#pragma once

#include <string>
#include <vector>

namespace easgd {

/// The candidate a mistyped word most likely meant, or "" if none is close.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// `; did you mean "rho"?`, or "" if no candidate is close.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace easgd
