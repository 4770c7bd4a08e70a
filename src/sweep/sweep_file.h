// A sweep as its file has it: a base configuration and what is varied in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/choice.h"
#include "config/reader.h"
#include "sweep/axes.h"
#include "sweep/constraint.h"
#include "sweep/early_stop.h"

namespace easgd {

enum class SweepMethod { grid, random };

template <>
struct config::Names<SweepMethod> {
  static constexpr Name<SweepMethod> all[] = {{"grid", SweepMethod::grid},
                                              {"random", SweepMethod::random}};
};

struct SweepFile {
  std::string path;
  std::string name;                 ///< the file's own, without its ending, if it gives none
  std::string base;                 ///< a configuration; a path that holds from the current folder
  std::vector<std::int64_t> seeds;  ///< empty: that of the base
  std::vector<Setting> set;         ///< for every run
  std::vector<Axes> groups;         ///< joined; each crossed inside, with [axes] in it
  std::vector<std::string> axes;    ///< all keys that are varied, in the order of the file
  std::vector<Constraint> require;
  SweepMethod method = SweepMethod::grid;
  std::int64_t runs = 0;             ///< that random search draws
  bool adapt = false;                ///< each method is given what it takes
  std::int64_t concurrent = 0;       ///< runs at once; 0: as many as the machine has room for
  std::int64_t runs_per_device = 1;  ///< of GPUs
  std::optional<EarlyStop> early_stop = {};
};

/// Throws: ConfigError with file and line.
SweepFile read_sweep_file(const std::string& path);

/// Every key of a sweep file, for people.
std::string sweep_help();

}  // namespace easgd
