// Pictures that are decoded when they are asked for.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/dataset.h"
#include "data/dataset_reader.h"

namespace easgd {

/// The machine cannot read a picture, which may be good: too many open files, a disk that fails.
struct UnreadableNow : DataError {
  using DataError::DataError;
};

/// A picture of the set is not there any more, or must not be read.
struct Vanished : DataError {
  using DataError::DataError;
};

/// Of red, green and blue, and of different sizes. A picture that cannot be decoded is named once,
/// in a warning, unless there are many, and the next of its class takes its place, or black if none
/// of these can be; or it is an error. Which picture takes a place is a function of the files and
/// the cut alone.
class PictureSet : public Dataset {
 public:
  Shape shape() const final { return {3, 0, 0}; }
  int classes() const final { return classes_; }
  std::size_t size() const final { return labels_.size(); }
  int label(std::size_t index) const final { return labels_[index]; }
  /// Throws: DataError for a picture that cannot be decoded, if that is an error, and if no other
  /// of the set can be; for one that the machine cannot read; for one that has vanished with all of
  /// its class, as when a disk is gone: black would be learnt.
  Image image(std::size_t index, Scratch& scratch) const final;
  CutImage cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const final;
  /// That of ImageNet's training set, which most photographs have, so that none needs to be read.
  std::optional<Normalisation> normalisation() const final;
  std::size_t bad_images() const final { return bad_count_; }
  std::size_t memory() const final {
    return size() * (sizeof labels_[0] + sizeof is_hopeless_[0]) + memory_of_names();
  }
  /// What is wrong with a picture, in a line; empty if all of it can be decoded.
  std::string fault(std::size_t index, Scratch& scratch) const;

 protected:
  PictureSet(int classes, std::vector<std::int32_t> labels, OnBadImage on_bad);

 private:
  /// A cut of this picture and no other.
  /// Throws: DataError, without its name: what is wrong with it.
  virtual CutImage decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const = 0;
  /// In bytes, and of all else that a set keeps of its pictures.
  virtual std::size_t memory_of_names() const = 0;

  CutImage decoded_or_hopeless(std::size_t index, const ChooseCut& choose, Scratch& scratch) const;
  enum class Why { bad, vanished };
  void note(std::size_t index, const std::string& what, Why why) const;
  void note_black(std::size_t index, const std::string& why) const;
  std::size_t next_of_class(std::size_t index) const;
  bool has_good_one(const ChooseCut& choose, Scratch& scratch) const;

  int classes_;
  std::vector<std::int32_t> labels_;
  OnBadImage on_bad_;
  /// Pictures of which no cut can be decoded, as far as is known: their files are not read again.
  std::unique_ptr<std::atomic<bool>[]> is_hopeless_;
  mutable std::mutex mutex_;
  mutable std::set<std::size_t> bad_;     // with mutex_ locked
  mutable std::size_t vanished_ = 0;      // of them, the same
  mutable std::set<std::int32_t> black_;  // labels, the same
  mutable std::atomic<std::size_t> bad_count_{0};
};

}  // namespace easgd
