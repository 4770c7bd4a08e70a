#include "data/own_files.h"

#include "data/dataset_reader.h"
#include "data/find_file.h"
#include "data/location.h"
#include "data/numbered_files.h"

namespace easgd {

namespace fs = std::filesystem;

std::vector<fs::path> own_files(const std::string& set, const std::string& dir) {
  const auto wanted = make_dataset_reader(set)->files();
  if (!wanted || !wanted->fetch.empty()) return {};
  const fs::path folder = find_folder(set, *wanted, dir);
  std::vector<fs::path> paths;
  for (const std::vector<std::string>& names : wanted->files) {
    for (const std::string& name : names) {
      if (!is_pattern(name)) continue;
      const auto numbered = numbered_files(folder, name);
      paths.insert(paths.end(), numbered.begin(), numbered.end());
    }
    if (const auto single = look_for_file(folder, names)) paths.push_back(*single);
  }
  return paths;
}

}  // namespace easgd
