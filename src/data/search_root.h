// Where the search for the files of a set begins.
//
// In the folder that `data.dir` names; if that is empty, in $EASGD_DATA; if that is empty, in
// ./data. Whichever it is may be the set's own folder or the parent of it.
#pragma once

#include <filesystem>
#include <string>

namespace easgd {

struct SearchRoot {
  std::filesystem::path path;
  std::string origin;  ///< who chose it: an option's name or "$EASGD_DATA"; empty: nobody
};

/// `option`: what the one who chose `dir` calls it.
SearchRoot choose_root(const std::string& dir, const char* option);

/// $EASGD_DATA; empty if it is not set.
std::string data_variable();

}  // namespace easgd
