#include "data/remedies.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "data/dataset_reader.h"
#include "data/path_status.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

/// As a shell takes it for one word.
std::string quoted(const std::string& text) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+:,@%=-";
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string result = "'";
  for (const char each : text) result += each == '\'' ? "'\\''" : std::string(1, each);
  return result + "'";
}

constexpr const char* kBuiltIn = "synthetic";

/// Whether the built-in set can take this one's place under a network.
bool has_substitute(const std::string& set) {
  const auto facts = make_dataset_reader(set)->facts();
  const auto built_in = make_dataset_reader(kBuiltIn)->facts();
  return facts && built_in && facts->classes == built_in->classes;
}

/// Whether tools/fetch can put a set there.
bool can_be_filled(const Candidate& root) {
  if (root.status.is(fs::file_type::not_found))
    return root.status.error != std::errc::not_a_directory && dangling_link(root.folder).empty();
  return root.status.is(fs::file_type::directory);
}

/// Whether a search there finds all of a set.
bool is_complete_in(const fs::path& root, const DatasetFiles& wanted) {
  try {
    return std::ranges::any_of(search_folders(root, wanted).candidates, &Candidate::complete);
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace

std::string fetch_command(const DatasetFiles& wanted, const fs::path& folder) {
  return fmt::format("`tools/fetch {} {}`", wanted.fetch,
                     quoted(folder.empty() ? "." : folder.string()));
}

std::string remedies(const std::string& set, const DatasetFiles& wanted, const SearchRoot& root,
                     const Search& found) {
  const bool by_option = !root.origin.empty() && root.origin != "$EASGD_DATA";
  const bool by_key = root.origin == "data.dir";
  const std::string option = by_option && !by_key ? root.origin + " DIR" : "`--set data.dir=DIR`";
  const std::string variable = by_key ? data_variable() : "";
  const bool in_variable = !variable.empty() && is_complete_in(variable, wanted);
  std::vector<std::string> list;
  if (in_variable)
    list.push_back(
        fmt::format("take data.dir away with `--set data.dir=`, so that $EASGD_DATA ({}), "
                    "which it comes before, counts",
                    variable));
  if (!wanted.fetch.empty() && can_be_filled(found.candidates[0])) {
    // tools/fetch takes no folder that is there.
    std::string away;
    for (std::size_t i = 1; i < found.candidates.size(); ++i)
      if (found.candidates[i].status.there() && away.empty())
        away = "move " + found.candidates[i].folder.string() + " away and ";
    list.push_back(away + "run " + fetch_command(wanted, root.path));
  }
  const std::string folder = wanted.files.empty() ? "the folder that has its pictures"
                             : wanted.fetch.empty()
                                 ? "the folder that holds " + wanted.files[0][0] + " and the like"
                             : by_option ? "another folder"
                                         : "its folder";
  list.push_back("name " + folder + " with " + option + (by_option ? "" : " or $EASGD_DATA"));
  if (has_substitute(set)) list.push_back(fmt::format("use data.set = \"{}\"", kBuiltIn));
  std::string text = list[0];
  for (std::size_t i = 1; i < list.size(); ++i) text += "; or " + list[i];
  if (!variable.empty() && !in_variable)
    text += fmt::format("; $EASGD_DATA ({}), which data.dir comes before, does not hold the set",
                        variable);
  return text;
}

std::optional<std::string> lookalike_in(const Search& found, const DatasetFiles& wanted) {
  for (const Candidate& candidate : found.candidates)
    for (const Lookalike& each : wanted.lookalikes)
      if (std::ranges::all_of(each.paths, [&](const std::string& path) {
            return status_of(candidate.folder / path).there();
          })) {
        const bool folder = each.paths.size() > 1;
        return fmt::format(
            "{} is {}; {}", (folder ? candidate.folder : candidate.folder / each.paths[0]).string(),
            each.what,
            each.advice.empty() ? "run " + fetch_command(wanted, found.candidates[0].folder)
                                : each.advice);
      }
  return std::nullopt;
}

}  // namespace easgd
