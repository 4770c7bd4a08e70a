// What makes a run the run that it is.
#pragma once

#include <map>
#include <string>

#include "settings/config.h"

namespace easgd {

/// Every key that has a value, in TOML, by its dotted name.
std::map<std::string, std::string> flat_settings(Config config);

/// Twelve hexadecimal digits: a hash of the configuration without names and places (`name`,
/// `data.dir`, which of several GPUs); of files that it names (network.init, center.replay), and of
/// a set of one's own files, what is in them. Keys at their defaults are not in it, so that a key
/// that a later program adds changes no identity.
std::string identity_of(const Config& config);

/// Of a set of one's own files, a hash of what is in them, or of how they are called where they are
/// too many to be read; empty for one that is published. The folder itself if it is not found.
std::string identity_of(const DataConfig& data);

/// What the hash is made of: keys and values, a line each.
std::string identity_text(const Config& config);

}  // namespace easgd
