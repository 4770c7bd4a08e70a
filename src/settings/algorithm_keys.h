// The keys that an algorithm has of its own: in [algorithm], or in a table that it names.
#pragma once

#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "config/fields.h"
#include "settings/config.h"

namespace easgd {

/// The own keys in [algorithm] of the algorithm that is named. Those of others are foreign there.
void own_fields(config::Fields& f, AlgorithmConfig& algorithm);

/// Its own table, if it has one. Those of other algorithms may stand beside it, so that one file
/// serves several algorithms; their keys are checked, and nobody uses their values.
void own_tables(config::Fields& f, AlgorithmConfig& algorithm);

/// The algorithms that have `key` of their own in [algorithm].
std::vector<std::string> owners_of(const std::string& key);

/// What the rules of the configured algorithm are given, for so many workers.
RuleOptions rule_options(const AlgorithmConfig& algorithm, std::size_t workers);

/// The own keys of every algorithm that has any, for people.
std::string algorithm_help();

}  // namespace easgd
