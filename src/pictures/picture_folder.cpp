#include "pictures/picture_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/fnv1a.h"
#include "base/one_line.h"
#include "base/reason.h"
#include "base/warning.h"
#include "data/path_status.h"
#include "data/permutation.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) {
  return in_one_line(path.string());
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

bool is_picture_name(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    text += (i > 0 ? ", " : "") + in_one_line(names[i]);
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

/// What is in a folder, by its bytes.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (!is_hidden(entry->path())) found.push_back(*entry);
  if (error) throw DataError(shown(folder) + ": cannot be listed: " + reason(error.value()));
  std::ranges::sort(found, {}, [](const fs::directory_entry& e) -> const std::string& {
    return e.path().native();
  });
  return found;
}

/// To what may have been a folder: one to a picture is told of when that is wanted.
bool leads_nowhere(const fs::directory_entry& entry) {
  std::error_code error;
  if (!entry.is_symlink(error) || is_picture_name(entry.path())) return false;
  const bool is_there = entry.exists(error);
  return error || !is_there;
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code ignored;  // what is not there is no folder
  return entry.is_directory(ignored);
}

/// A folder that lies in itself, by a link, is not entered again.
using Inode = std::pair<dev_t, ino_t>;

/// Throws: DataError if it cannot be examined.
Inode inode_of(const fs::path& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) cannot_examine(folder, {errno, std::generic_category()});
  return {status.st_dev, status.st_ino};
}

/// A folder and those that it is in.
std::vector<Inode> inodes_around(const fs::path& folder) {
  std::vector<Inode> around;
  std::error_code error;
  for (fs::path above = fs::canonical(folder, error); !error; above = above.parent_path()) {
    around.push_back(inode_of(above));
    if (!above.has_relative_path()) break;
  }
  return around;
}

/// Calls found(path) for each.
template <class Found>
void find_pictures_in(const fs::path& folder, std::vector<Inode>& around, const Found& found) {
  const Inode self = inode_of(folder);
  if (std::ranges::find(around, self) != around.end()) return;
  around.push_back(self);
  for (const fs::directory_entry& entry : entries_of(folder)) {
    if (is_folder(entry)) {
      find_pictures_in(entry.path(), around, found);
    } else if (is_picture_name(entry.path()) || leads_nowhere(entry)) {
      found(entry.path());
    }
  }
  around.pop_back();
}

/// What lies in a folder of pictures and is left out.
struct LeftOut {
  std::size_t loose = 0;                       ///< pictures in no class's folder
  std::vector<std::string> broken_links = {};  ///< by their paths
};

/// All pictures below the folders in a folder, in the order of their classes and names.
PictureList list_pictures(const fs::path& root, LeftOut& left_out) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : entries_of(root)) {
    if (is_folder(entry)) folders.push_back(entry.path());
    left_out.loose += !is_folder(entry) && is_picture_name(entry.path());
    if (leads_nowhere(entry)) left_out.broken_links.push_back(entry.path().filename().string());
  }
  const std::vector<Inode> above = inodes_around(root);
  std::vector<Names> found(folders.size());
  tbb::parallel_for(std::size_t{0}, folders.size(), [&](std::size_t i) {
    std::vector<Inode> around = above;
    find_pictures_in(folders[i], around, [&](const fs::path& path) {
      found[i].add(path.lexically_relative(root).native());
    });
  });
  PictureList list{.root = root};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    list.classes.push_back(folders[i].filename().string());
    for (std::size_t k = 0; k < found[i].size(); ++k) {
      if (!is_picture_name(found[i][k])) {
        left_out.broken_links.emplace_back(found[i][k]);
        continue;
      }
      list.names.add(found[i][k]);
      list.labels.push_back(std::int32_t(i));
    }
    found[i] = {};
  }
  return list;
}

PictureList list_pictures(const fs::path& root) {
  LeftOut left_out;
  PictureList list = list_pictures(root, left_out);
  if (left_out.loose > 0)
    warn(fmt::format("{}: {} in no class's folder, left out; expected CLASS/NAME.jpg", shown(root),
                     counted(left_out.loose, "picture")));
  if (!left_out.broken_links.empty())
    warn(fmt::format("{}: {} to what is not there, left out: {}", shown(root),
                     counted(left_out.broken_links.size(), "link"), joined(left_out.broken_links)));
  return list;
}

/// By its name alone, for about that share of all names.
bool is_held_out(std::string_view name, double share) {
  constexpr std::uint64_t kParts = 1'000'003;  // a prime, so that all bits of the hash count
  return double(fnv1a(name) % kParts) < share * double(kParts);
}

PictureList empty_like(const PictureList& list) {
  return {.root = list.root, .names = {}, .labels = {}, .classes = list.classes};
}

void add(PictureList& to, const PictureList& from, std::size_t index, std::int32_t label) {
  to.names.add(from.names[index]);
  to.labels.push_back(label);
}

PictureFolder divided(const PictureList& all, double share) {
  PictureFolder halves{empty_like(all), empty_like(all)};
  for (std::size_t i = 0; i < all.names.size(); ++i)
    add(is_held_out(all.names[i], share) ? halves.test : halves.train, all, i, all.labels[i]);
  return halves;
}

/// The list with the classes that `labels` has numbers for; pictures of others are left out.
PictureList with_classes(const PictureList& list, const std::vector<std::string>& classes) {
  std::map<std::string, std::int32_t> labels;
  for (std::size_t i = 0; i < classes.size(); ++i) labels[classes[i]] = std::int32_t(i);
  PictureList kept = empty_like(list);
  kept.classes = classes;
  for (std::size_t i = 0; i < list.names.size(); ++i) {
    const auto label = labels.find(list.classes[std::size_t(list.labels[i])]);
    if (label != labels.end()) add(kept, list, i, label->second);
  }
  return kept;
}

/// Classes are those that have training pictures.
void agree_on_classes(PictureFolder& halves) {
  const PictureList &train = halves.train, &test = halves.test;
  std::vector<bool> is_used(train.classes.size());
  for (const std::int32_t label : train.labels) is_used[std::size_t(label)] = true;
  std::vector<std::string> used, unused, foreign;
  for (std::size_t i = 0; i < train.classes.size(); ++i)
    (is_used[i] ? used : unused).push_back(train.classes[i]);
  for (const std::string& name : test.classes)
    if (!std::ranges::binary_search(train.classes, name)) foreign.push_back(name);
  if (!unused.empty())
    warn(fmt::format("{}: {} without a training picture, left out: {}", shown(train.root),
                     unused.size() == 1 ? "a class" : counted(unused.size(), "classe"),
                     joined(unused)));
  const std::size_t before = test.names.size();
  halves.train = with_classes(train, used);
  halves.test = with_classes(test, used);
  if (!foreign.empty())
    warn(fmt::format("{}: {} of classes that have no training pictures, left out: {}",
                     shown(halves.test.root), counted(before - halves.test.names.size(), "picture"),
                     joined(foreign)));
}

void check(const PictureFolder& halves, double holdout) {
  const auto& [train, test] = halves;
  constexpr const char* kExpected =
      "expected CLASS/NAME.jpg (.jpeg, .png), a folder for each class";
  if (train.names.size() == 0 && test.names.size() == 0)
    throw DataError(fmt::format("{}: no pictures; {}", shown(train.root), kExpected));
  if (train.names.size() == 0)
    throw DataError(fmt::format("{}: no training pictures; {}", shown(train.root),
                                holdout > 0 ? "expected a smaller data.holdout" : kExpected));
  if (train.classes.size() < 2)
    throw DataError(fmt::format("{}: pictures of one class alone, {}; {}", shown(train.root),
                                joined(train.classes), kExpected));
  if (test.names.size() == 0)
    throw DataError(fmt::format("{}: no test pictures of the training classes; {}",
                                shown(test.root),
                                holdout > 0 ? "expected a larger data.holdout" : kExpected));
}

PictureList shuffled(const PictureList& list, std::uint32_t half) {
  const Permutation order(list.names.size(), {0, kernels::Stream::shuffle, half});
  PictureList result = empty_like(list);
  for (std::size_t i = 0; i < list.names.size(); ++i)
    add(result, list, order(i), list.labels[order(i)]);
  return result;
}

bool is_folder(const fs::path& path) {
  return status_of(path).is(fs::file_type::directory);
}

/// val/, or what people call it besides; empty if there is none.
fs::path find_test_half(const fs::path& root) {
  for (const char* name : {"val", "validation", "test"})
    if (is_folder(root / name)) return root / name;
  return {};
}

PictureFolder find_halves(const fs::path& root) {
  if (!is_folder(root))
    throw DataError(shown(root) + ": expected a folder of pictures, found none");
  const fs::path train = root / "train", test = find_test_half(root);
  if (is_folder(train) && !test.empty()) return {list_pictures(train), list_pictures(test)};
  throw DataError(
      fmt::format("{}: {}", shown(root),
                  is_folder(train)
                      ? "found train/, and no val/ (validation/, test/) beside it; expected both, "
                        "or data.dir = "
                        "that train/ and data.holdout = 0.1 (pack --holdout) to test with a tenth "
                        "of its pictures"
                      : "expected train/ and val/ in it, each with a folder for each class; or, if "
                        "it has these "
                        "folders itself, data.holdout = 0.1 (pack --holdout) to test with a tenth "
                        "of the pictures"));
}

/// All below one folder, of which a share is held out.
PictureFolder hold_out(const fs::path& root, double share) {
  const fs::path test = find_test_half(root);
  if (is_folder(root / "train") && !test.empty())
    throw DataError(
        fmt::format("{}: found train/ and {}/, which are the two halves; expected "
                    "data.holdout = 0, or a folder of classes",
                    shown(root), test.filename().string()));
  return divided(list_pictures(root), share);
}

}  // namespace

PictureFolder find_pictures(const fs::path& root, double holdout) {
  PictureFolder halves = holdout > 0 ? hold_out(root, holdout) : find_halves(root);
  agree_on_classes(halves);
  check(halves, holdout);
  std::vector<bool> has_class(halves.test.classes.size());
  for (const std::int32_t label : halves.test.labels) has_class[std::size_t(label)] = true;
  warn_of_classes_without("test", halves.test.root, halves.test.classes, has_class);
  return {shuffled(halves.train, 0), shuffled(halves.test, 1)};
}

void warn_of_classes_without(const char* half, const fs::path& where,
                             const std::vector<std::string>& classes,
                             const std::vector<bool>& has_class) {
  std::vector<std::string> without;
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (!has_class[i]) without.push_back(classes[i]);
  if (without.empty()) return;
  warn(fmt::format("{}: {} without a {} picture: {}", shown(where),
                   without.size() == 1 ? "a class" : counted(without.size(), "classe"), half,
                   joined(without)));
}

std::vector<fs::path> pictures_below(const fs::path& folder) {
  std::vector<Inode> around;
  std::vector<fs::path> found;
  find_pictures_in(folder, around, [&](const fs::path& path) {
    if (is_picture_name(path)) found.push_back(path);
  });
  if (found.empty())
    throw DataError(shown(folder) +
                    ": no pictures; expected names that end in .jpg, .jpeg or .png");
  return found;
}

std::uint64_t hash_of_names(const fs::path& root) {
  LeftOut ignored;  // find_pictures() tells of it
  const PictureList all = list_pictures(root, ignored);
  std::uint64_t hash = fnv1a("");
  for (std::size_t i = 0; i < all.names.size(); ++i) hash = fnv1a("\n", fnv1a(all.names[i], hash));
  return hash;
}

}  // namespace easgd
