#include "pictures/picture_set.h"

#include <fmt/format.h>

#include <bit>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "base/warning.h"

namespace easgd {

namespace {
constexpr std::size_t kAllNamed = 100;  // bad pictures; then whenever there are twice as many
}

PictureSet::PictureSet(int classes, std::vector<std::int32_t> labels, OnBadImage on_bad)
    : classes_(classes),
      labels_(std::move(labels)),
      on_bad_(on_bad),
      is_hopeless_(std::make_unique<std::atomic<bool>[]>(labels_.size())) {}

Image PictureSet::image(std::size_t index, Scratch& scratch) const {
  return cut(index, whole_of, scratch).image;
}

CutImage PictureSet::cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  std::size_t taken = index;
  bool has_vanished = false;
  std::string why;  // the first of them failed; empty if that was told before
  do {
    if (is_hopeless_[taken].load(std::memory_order_relaxed)) continue;
    try {
      return decoded_or_hopeless(taken, choose, scratch);
    } catch (const UnreadableNow& error) {
      throw DataError(in_one_line(image_name(taken)) + ": " + error.what());
    } catch (const Vanished& error) {
      has_vanished = true;
      note(taken, error.what(), Why::vanished);
    } catch (const DataError& error) {
      note(taken, error.what(), Why::bad);
      if (why.empty())
        why = fmt::format("; {}: {}", in_one_line(image_name(taken)), in_one_line(error.what()));
    }
  } while ((taken = next_of_class(taken)) != index);
  if (has_vanished)
    throw DataError(in_one_line(image_name(index)) +
                    ": it cannot be read any more, nor can any other of its class");
  if (has_good_one(choose, scratch)) {
    note_black(index, why);
    return {black_cut(shape(), choose, scratch)};
  }
  throw DataError(fmt::format("{}: neither this picture nor any other of the set can be used{}",
                              in_one_line(image_name(index)), why));
}

/// A picture that fails before its cut is chosen does so for every cut.
CutImage PictureSet::decoded_or_hopeless(std::size_t index, const ChooseCut& choose,
                                         Scratch& scratch) const {
  bool has_chosen = false;
  const auto chosen = [&](Shape shape) {
    has_chosen = true;
    return choose(shape);
  };
  try {
    return decoded(index, std::cref(chosen), scratch);
  } catch (const UnreadableNow&) {
    throw;
  } catch (const Vanished&) {
    throw;
  } catch (const DataError&) {
    if (!has_chosen && on_bad_ == OnBadImage::skip)
      is_hopeless_[index].store(true, std::memory_order_relaxed);
    throw;
  }
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
    if (is_hopeless_[i].load(std::memory_order_relaxed)) continue;
    try {
      decoded_or_hopeless(i, choose, scratch);
      return true;
    } catch (const DataError&) {
    }
  }
  return false;
}

/// Bad pictures are all named, unless there are many; of those that have vanished, maybe with a
/// disk, few are.
/// Throws: DataError if that is what bad pictures are.
void PictureSet::note(std::size_t index, const std::string& what, Why why) const {
  const std::string line = fmt::format("{}: {}", in_one_line(image_name(index)), in_one_line(what));
  if (on_bad_ == OnBadImage::stop)
    throw DataError(line + "; data.on_bad_image = \"skip\" would pass over it");
  const std::lock_guard lock(mutex_);
  if (!bad_.insert(index).second) return;
  ++bad_count_;
  const std::size_t count = why == Why::vanished ? ++vanished_ : bad_.size() - vanished_;
  const bool is_one_of_few = count <= (why == Why::bad ? kAllNamed : 1);
  if (is_one_of_few) {
    warn(line + "; the next picture of its class takes its place");
  } else if (std::has_single_bit(count)) {
    warn(fmt::format("{}; {} pictures are so by now, and others of their classes take their places",
                     line, count));
  }
}

/// Once for each class.
void PictureSet::note_black(std::size_t index, const std::string& why) const {
  const std::lock_guard lock(mutex_);
  if (!black_.insert(labels_[index]).second) return;
  warn(in_one_line(image_name(index)) +
       ": no picture of its class can be used; black ones take their places" + why);
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
