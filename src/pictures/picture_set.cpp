#include "pictures/picture_set.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "base/warning.h"

namespace easgd {

PictureSet::PictureSet(int classes, std::vector<std::int32_t> labels, OnBadImage on_bad)
    : classes_(classes), labels_(std::move(labels)), on_bad_(on_bad) {}

Image PictureSet::image(std::size_t index, Scratch& scratch) const {
  return cut(index, whole_of, scratch).image;
}

CutImage PictureSet::cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  std::size_t taken = index;
  do {
    try {
      return decoded(taken, choose, scratch);
    } catch (const UnreadableNow& error) {
      throw DataError(in_one_line(image_name(taken)) + ": " + error.what());
    } catch (const DataError& error) {
      note_bad(taken, error.what());
    }
    taken = next_of_class(taken);
  } while (taken != index);
  if (has_good_one(choose, scratch)) return {black_cut(shape(), choose, scratch)};
  throw DataError(fmt::format("{}: neither this picture nor any other of the set can be decoded",
                              in_one_line(image_name(index))));
}

std::string PictureSet::fault(std::size_t index, Scratch& scratch) const {
  try {
    decoded(index, whole_of, scratch);
    return "";
  } catch (const DataError& error) {
    return fmt::format("{}: {}", in_one_line(image_name(index)), in_one_line(error.what()));
  }
}

/// Else nothing is wrong with a class, but the set has gone.
bool PictureSet::has_good_one(const ChooseCut& choose, Scratch& scratch) const {
  for (std::size_t i = 0; i < size(); ++i) {
    try {
      decoded(i, choose, scratch);
      return true;
    } catch (const DataError&) {
    }
  }
  return false;
}

/// Throws: DataError if that is what bad pictures are.
void PictureSet::note_bad(std::size_t index, const std::string& why) const {
  const std::string line = fmt::format("{}: {}", in_one_line(image_name(index)), in_one_line(why));
  if (on_bad_ == OnBadImage::stop)
    throw DataError(line + "; data.on_bad_image = \"skip\" would pass over it");
  const std::lock_guard lock(mutex_);
  if (!bad_.insert(index).second) return;
  ++bad_count_;
  warn(line + "; the next picture of its class takes its place");
}

/// In the order of the set, its first after its last.
std::size_t PictureSet::next_of_class(std::size_t index) const {
  std::size_t next = index;
  do next = (next + 1) % size();
  while (labels_[next] != labels_[index]);
  return next;
}

std::optional<Normalisation> PictureSet::normalisation() const {
  return Normalisation{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
}

}  // namespace easgd
