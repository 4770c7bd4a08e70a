// The files of a data set, as its reader describes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace easgd {

/// Something that people have where the set should be: all of `paths`, below its folder or the
/// parent of it.
struct Lookalike {
  std::vector<std::string> paths;
  std::string what;      ///< "the Python version, which is not read"
  std::string advice{};  ///< what to do; empty: to fetch the set
};

/// What a set's folder is called and what has to be in it.
struct DatasetFiles {
  std::vector<std::string> folders;             ///< names that people give the folder, best first
  std::vector<std::vector<std::string>> files;  ///< for each file the names that it may have, in
                                                ///< which # stands for any number; none: the names
                                                ///< are its owner's
  std::string fetch{};                          ///< what tools/fetch calls it; empty: one's own
  std::vector<Lookalike> lookalikes{};
  std::vector<std::uintmax_t> sizes{};  ///< in bytes, of each file, if they are known
  std::string train{};  ///< the folder of one half, if the names of files are their owner's
};

}  // namespace easgd
