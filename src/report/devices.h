// The devices of a run's workers, which stand in a configuration in several ways.
#pragma once

#include <string>
#include <vector>

namespace easgd::report {

/// Of "4 x cpu", and of ["cpu", "cpu", "cpu", "cpu"], each of the four.
std::vector<std::string> devices_in(const std::string& value);

/// The same text for whatever stands for the same devices: "4 x cpu", "1 x cpu", "auto"; a list of
/// unequal ones.
std::string device_words(const std::string& value);

}  // namespace easgd::report
