// The [[layer]] tables of a configuration, from the input to the loss.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"
#include "nn/layer.h"

namespace easgd {

/// Type, name and input of each layer, and what its type declares.
void layer_fields(config::Fields& f, const char* key, std::vector<std::shared_ptr<Layer>>& list);

/// The keys of every type of layer, for people.
std::string layer_help();

}  // namespace easgd
