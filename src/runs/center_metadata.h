#pragma once

#include <map>
#include <string>
#include <vector>

#include "settings/config.h"

namespace easgd {

/// What a saved center carries beside its tensors: what `easgd evaluate` has to know
/// ("easgd.config"), and the names of the classes, a list of JSON ("easgd.class_names"), if they
/// have names. What is no UTF-8 in these becomes U+FFFD.
std::map<std::string, std::string> center_metadata(const Config& config,
                                                   const std::vector<std::string>& class_names);

}  // namespace easgd
