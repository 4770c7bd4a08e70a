// The keys of [data] that one data set alone has.
#pragma once

#include <string>
#include <vector>

#include "config/fields.h"
#include "settings/config.h"

namespace easgd {

/// Declares those of data.set. Those of other sets are foreign in [data].
void dataset_fields(config::Fields& f, DataConfig& data);

/// The sets that have `key` of their own.
std::vector<std::string> sets_with(const std::string& key);

/// Those of every set, for people.
std::string dataset_help();

}  // namespace easgd
