// Pictures in folders, a folder a class.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace easgd {

/// Many names in little memory.
class Names {
 public:
  void add(std::string_view name) {
    all_ += name;
    ends_.push_back(all_.size());
  }
  std::size_t size() const { return ends_.size(); }
  /// In bytes.
  std::size_t memory() const { return all_.capacity() + ends_.capacity() * sizeof ends_[0]; }
  std::string_view operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(all_).substr(begin, ends_[index] - begin);
  }

 private:
  std::string all_;
  std::vector<std::size_t> ends_;
};

/// Pictures and their classes. Names are paths below `root`, in bytes as the system has them.
struct PictureList {
  std::filesystem::path root;
  Names names = {};
  std::vector<std::int32_t> labels = {};
  std::vector<std::string> classes = {};

  std::filesystem::path path(std::size_t index) const { return root / names[index]; }
};

/// The two halves of a folder: of the same classes, each in an order of its own that is shuffled
/// once and for all, so that its first n have all classes, and neighbours differ.
struct PictureFolder {
  PictureList train, test;
};

/// Finds train/CLASS/... and val/CLASS/..., or CLASS/... if a share is held out: by a hash of each
/// name, so that the same pictures are held out whatever others come or go. Files that end in .jpg,
/// .jpeg or .png, in capitals or not, as deep as they lie; links are followed, what begins with a
/// dot is passed over. Classes are sorted by their bytes; of those without a training picture a
/// warning tells.
/// Throws: DataError if there is no such folder, one cannot be read, or fewer than two classes have
/// pictures.
PictureFolder find_pictures(const std::filesystem::path& root, double holdout);

/// Tells of classes that no picture of a half, "training" or "test", is of.
void warn_of_classes_without(const char* half, const std::filesystem::path& where,
                             const std::vector<std::string>& classes,
                             const std::vector<bool>& has_class);

/// All pictures below a folder, by their names.
/// Throws: DataError if it cannot be read, or there are none.
std::vector<std::filesystem::path> pictures_below(const std::filesystem::path& folder);

/// Of all pictures below a folder, however it is divided.
/// Throws: DataError if it cannot be read.
std::uint64_t hash_of_names(const std::filesystem::path& root);

}  // namespace easgd
