#include "data/location.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/reason.h"
#include "data/dataset_reader.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

/// What stands at a path, links followed. Of type none where `error` keeps that from being known.
struct Sight {
  fs::file_type type;
  std::error_code error;

  bool is(fs::file_type other) const { return type == other; }
  bool there() const { return type != fs::file_type::none && type != fs::file_type::not_found; }
};

Sight look_at(const fs::path& path) {
  Sight sight{};
  sight.type = fs::status(path, sight.error).type();
  return sight;
}

[[noreturn]] void cannot_examine(const fs::path& path, const std::error_code& error) {
  throw DataError(path.string() + ": cannot be examined: " + reason(error.value()));
}

/// Whether `name` is `pattern` with anything in the place of its #.
bool is_of(const std::string& name, const std::string& pattern) {
  const std::size_t at = pattern.find('#');
  return name.size() >= pattern.size() && name.starts_with(pattern.substr(0, at)) &&
         name.ends_with(pattern.substr(at + 1));
}

/// The number in the place of `pattern`'s #, if one is there. One of too many digits is the largest.
std::optional<std::uint64_t> number_in(const std::string& name, const std::string& pattern) {
  if (!is_of(name, pattern)) return std::nullopt;
  const std::size_t at = pattern.find('#');
  const char* const end = name.data() + name.size() - (pattern.size() - at - 1);
  std::uint64_t number = 0;
  const auto result = std::from_chars(name.data() + at, end, number);
  if (result.ptr != end) return std::nullopt;
  return result.ec == std::errc() ? number : ~std::uint64_t{0};
}

/// What one folder has of a set.
struct Holding {
  fs::path folder;
  Sight sight;
  /// Two points for each file that is there, one for something else of its name: a folder, or a
  /// file of a size that it cannot have.
  std::size_t points = 0;
  bool complete = false;
  fs::path blocked;  ///< what nothing can be said of
  std::error_code why;
};

/// Nothing can be said of `path`: because of its folder, where not even its name can be asked for.
void block(Holding& holding, const fs::path& path, const std::error_code& why) {
  if (!holding.blocked.empty()) return;
  std::error_code error;
  const bool named = fs::symlink_status(path, error).type() != fs::file_type::none;
  holding.blocked = named ? path : holding.folder;
  holding.why = why;
}

/// Points of one file under one of its names; `size` is its size, 0 where that is not known.
std::size_t points_of(Holding& holding, const std::string& name, std::uintmax_t size = 0) {
  if (name.find('#') != std::string::npos) {
    std::error_code error;
    fs::directory_iterator entry(holding.folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
      if (number_in(entry->path().filename().string(), name)) return 2;
    if (error) block(holding, holding.folder, error);
    return 0;
  }
  const fs::path path = holding.folder / name;
  const Sight sight = look_at(path);
  if (sight.is(fs::file_type::none)) block(holding, path, sight.error);
  if (!sight.is(fs::file_type::regular)) return sight.there() ? 1 : 0;
  std::error_code ignored;  // who reads it will meet it again
  return size && fs::file_size(path, ignored) != size ? 1 : 2;
}

Holding holding_of(const fs::path& folder, const DatasetFiles& wanted) {
  Holding holding{folder, look_at(folder), 0, false, {}, {}};
  if (holding.sight.is(fs::file_type::none)) block(holding, folder, holding.sight.error);
  if (!holding.sight.is(fs::file_type::directory)) return holding;
  for (std::size_t i = 0; i < wanted.files.size(); ++i) {
    const std::uintmax_t size = i < wanted.sizes.size() ? wanted.sizes[i] : 0;
    std::size_t best = 0;
    for (const auto& name : wanted.files[i])
      if (best < 2) best = std::max(best, points_of(holding, name, size));
    holding.points += best;
  }
  holding.complete = holding.points == 2 * wanted.files.size();
  return holding;
}

struct Root {
  fs::path path;
  std::string origin;  ///< who chose it: an option's name or "$EASGD_DATA"; empty: nobody
};

Root chosen_root(const std::string& dir, const char* option) {
  if (!dir.empty()) return {dir, option};
  const std::string variable = data_variable();
  if (!variable.empty()) return {variable, "$EASGD_DATA"};
  return {"data", ""};
}

struct Search {
  std::vector<Holding> holdings;   ///< the root's, then those of the folders in it
  std::optional<fs::path> folder;  ///< one that has files of the set
};

/// The first complete folder, the root before those in it. Of incomplete ones the fullest, those
/// named after the set before the root: a single file of a common name says little.
/// Throws: DataError where a folder cannot be looked into and no other has half of the files.
Search search(const fs::path& root, const DatasetFiles& wanted) {
  Search result;
  auto& holdings = result.holdings;
  holdings.push_back(holding_of(root, wanted));
  if (holdings[0].sight.is(fs::file_type::directory))
    for (const auto& name : wanted.folders) holdings.push_back(holding_of(root / name, wanted));
  const auto complete = std::ranges::find_if(holdings, &Holding::complete);
  if (complete != holdings.end()) {
    result.folder = complete->folder;
    return result;
  }
  const Holding* best = &holdings[0];
  for (std::size_t i = holdings.size(); i-- > 1;)
    if (holdings[i].points >= std::max<std::size_t>(1, best->points)) best = &holdings[i];
  if (best->points < wanted.files.size())
    for (const Holding& each : holdings)
      if (!each.blocked.empty()) cannot_examine(each.blocked, each.why);
  if (best->points > 0) result.folder = best->folder;
  return result;
}

/// " a link to x, which is not there", of a path with nothing behind it; empty where it is no link.
std::string link_to_nothing(const fs::path& path) {
  std::error_code error;
  const fs::path to = fs::read_symlink(path, error);
  return error ? "" : " a link to " + to.string() + ", which is not there";
}

/// Why the root is no folder; empty where it is one.
std::string why_no_folder(const Holding& root) {
  if (root.sight.is(fs::file_type::directory)) return "";
  if (root.sight.there()) return " (not a folder)";
  if (const auto link = link_to_nothing(root.folder); !link.empty())
    return " (" + link.substr(1) + ")";
  if (root.sight.error == std::errc::not_a_directory)
    return " (" + root.sight.error.message() + ")";
  return " (no such folder)";
}

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

std::string fetch_into(const DatasetFiles& wanted, const fs::path& folder) {
  return fmt::format("`tools/fetch {} {}`", wanted.fetch,
                     quoted(folder.empty() ? "." : folder.string()));
}

/// Whether tools/fetch can put a set there.
bool can_be_filled(const Holding& root) {
  if (root.sight.is(fs::file_type::not_found))
    return root.sight.error != std::errc::not_a_directory && link_to_nothing(root.folder).empty();
  return root.sight.is(fs::file_type::directory);
}

/// Whether a search there finds all of a set.
bool is_complete_in(const fs::path& root, const DatasetFiles& wanted) {
  try {
    return std::ranges::any_of(search(root, wanted).holdings, &Holding::complete);
  } catch (const DataError&) {
    return false;
  }
}

/// What can be done about a set that is not to be found; only what then works.
std::string remedies(const std::string& set, const DatasetFiles& wanted, const Root& root,
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
  if (!wanted.fetch.empty() && can_be_filled(found.holdings[0])) {
    // tools/fetch takes no folder that is there.
    std::string away;
    for (std::size_t i = 1; i < found.holdings.size(); ++i)
      if (found.holdings[i].sight.there() && away.empty())
        away = "move " + found.holdings[i].folder.string() + " away and ";
    list.push_back(away + "run " + fetch_into(wanted, root.path));
  }
  const std::string folder = wanted.fetch.empty()
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

/// What lies in the place of a set that is not there, and what to do; nullopt where nothing known
/// does.
std::optional<std::string> lookalike_in(const Search& found, const DatasetFiles& wanted) {
  for (const Holding& holding : found.holdings)
    for (const Lookalike& each : wanted.lookalikes)
      if (std::ranges::all_of(each.paths, [&](const std::string& path) {
            return look_at(holding.folder / path).there();
          })) {
        const bool folder = each.paths.size() > 1;
        return fmt::format(
            "{} is {}; {}", (folder ? holding.folder : holding.folder / each.paths[0]).string(),
            each.what,
            each.advice.empty() ? "run " + fetch_into(wanted, found.holdings[0].folder)
                                : each.advice);
      }
  return std::nullopt;
}

fs::path folder_of(const std::string& set, const DatasetFiles& wanted, const Root& root) {
  const Search found = search(root.path, wanted);
  if (found.folder) return *found.folder;
  if (const auto lookalike = lookalike_in(found, wanted))
    throw DataError(set + ": not found; " + *lookalike);
  std::string places = root.path.string() + why_no_folder(found.holdings[0]);
  for (std::size_t i = 1; i < found.holdings.size(); ++i) {
    const Holding& each = found.holdings[i];
    places += ", " + each.folder.string();
    if (each.sight.is(fs::file_type::directory)) places += " (holds none of its files)";
  }
  throw DataError(
      fmt::format("{}: not found; looked in {} ({}); {}", set, places,
                  root.origin.empty() ? "neither data.dir nor $EASGD_DATA is set" : root.origin,
                  remedies(set, wanted, root, found)));
}

/// Where something else has a file's name, or nothing can be said of it.
[[noreturn]] void no_file(const fs::path& path, const Sight& sight) {
  if (sight.is(fs::file_type::none)) cannot_examine(path, sight.error);
  if (sight.is(fs::file_type::not_found))
    throw DataError(path.string() + ":" + link_to_nothing(path));
  throw DataError(path.string() + (sight.is(fs::file_type::directory)
                                       ? ": expected a file, found a folder"
                                       : ": expected a file, found something that is neither file "
                                         "nor folder"));
}

/// Throws: DataError where a file of the set is missing or may not be read.
void check_files(const fs::path& folder, const DatasetFiles& wanted) {
  for (const auto& names : wanted.files) {
    Holding holding{folder, {}, 0, false, {}, {}};
    if (std::ranges::any_of(names, [&](const std::string& name) {
          return name.find('#') != std::string::npos && points_of(holding, name) == 2;
        }))
      continue;
    const fs::path path = find_file(folder, names, wanted);
    if (faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
      throw DataError(path.string() + ": cannot be read: " + reason(errno));
  }
}

std::optional<DatasetFiles> files_of(const std::string& set) {
  return make_dataset_reader(set)->files();
}

}  // namespace

std::string data_variable() {
  const char* variable = std::getenv("EASGD_DATA");
  return variable ? variable : "";
}

fs::path find_folder(const std::string& set, const DatasetFiles& wanted, const std::string& dir) {
  return folder_of(set, wanted, chosen_root(dir, "data.dir"));
}

std::optional<fs::path> look_for_file(const fs::path& folder,
                                      const std::vector<std::string>& names) {
  std::optional<std::pair<fs::path, Sight>> other;
  for (const auto& name : names) {
    const fs::path path = folder / name;
    const Sight sight = look_at(path);
    if (sight.is(fs::file_type::regular)) return path;
    const bool named = !sight.is(fs::file_type::not_found) || !link_to_nothing(path).empty();
    if (named && !other) other = {path, sight};
  }
  if (other) no_file(other->first, other->second);
  return std::nullopt;
}

fs::path find_file(const fs::path& folder, const std::vector<std::string>& names,
                   const DatasetFiles& set) {
  if (const auto path = look_for_file(folder, names)) return *path;
  std::string text = (folder / names.front()).string() + ": file missing; the set is incomplete";
  if (set.fetch.empty()) throw DataError(text);
  const fs::path parent = (folder / "").lexically_normal().parent_path().parent_path();
  throw DataError(text + "; move its folder away and fetch it again: " + fetch_into(set, parent));
}

std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& pattern) {
  std::vector<std::pair<std::uint64_t, fs::path>> found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (is_of(entry->path().filename().string(), pattern)) {
      const auto number = number_in(entry->path().filename().string(), pattern);
      if (!number)
        throw DataError(entry->path().string() + ": expected a number for the # of " + pattern +
                        "; rename it, or move it away");
      found.emplace_back(*number, entry->path());
    }
  if (error) throw DataError(folder.string() + ": cannot be listed: " + reason(error.value()));
  std::ranges::sort(found);
  std::vector<fs::path> paths;
  for (auto& [number, path] : found) {
    const Sight sight = look_at(path);
    if (!sight.is(fs::file_type::regular)) no_file(path, sight);
    paths.push_back(std::move(path));
  }
  return paths;
}

std::optional<std::string> locate(const std::string& set, const std::string& dir) {
  const auto wanted = files_of(set);
  if (!wanted) return "built in";
  try {
    const fs::path folder = folder_of(set, *wanted, chosen_root(dir, ""));
    check_files(folder, *wanted);
    return folder.string();
  } catch (const DataError&) {  // `why_not_located` tells
    return std::nullopt;
  }
}

std::string why_not_located(const std::string& set, const std::string& dir, const char* option) {
  const DatasetFiles wanted = files_of(set).value();
  try {
    check_files(folder_of(set, wanted, chosen_root(dir, option)), wanted);
    return set + ": there";
  } catch (const DataError& error) {
    return error.what();
  }
}

bool moved_away(const std::string& set, const std::string& dir) {
  const auto wanted = files_of(set);
  if (!wanted) return false;
  return std::ranges::all_of(search(dir, *wanted).holdings,
                             [](const Holding& each) { return each.points == 0; });
}

}  // namespace easgd
