// What a data set is to the rest of the program: numbered, labelled images of 8-bit pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"

namespace easgd {

/// Thread: all members may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual Shape shape() const = 0;
  virtual int classes() const = 0;
  virtual std::size_t size() const = 0;
  /// 0 .. classes()-1.
  virtual int label(std::size_t index) const = 0;
  /// Pixels [C][H][W], 0..255. Points into the set, or into `scratch` (at least shape().size()
  /// bytes) where the set has to decode first.
  virtual std::span<const std::uint8_t> image(std::size_t index,
                                              std::span<std::uint8_t> scratch) const = 0;
};

/// How many samples of a set are used if there is a limit: the first `limit`; all, if that is 0 or
/// more than there are.
/// Throws: DataError for a set without images.
std::size_t used_samples(const Dataset& set, std::size_t limit);

/// The two halves of a data set.
struct DataSplit {
  std::unique_ptr<Dataset> train;
  std::unique_ptr<Dataset> test;
  /// Where it was found, for the log: a folder, or "built in".
  std::string source;
};

/// An in-memory set: pixels [N][C][H][W] and labels [N]. What most readers return.
class ImageTable final : public Dataset {
 public:
  ImageTable(Shape shape, int classes, std::vector<std::uint8_t> pixels,
             std::vector<std::uint8_t> labels)
      : shape_(shape), classes_(classes), pixels_(std::move(pixels)), labels_(std::move(labels)) {}

  Shape shape() const override { return shape_; }
  int classes() const override { return classes_; }
  std::size_t size() const override { return labels_.size(); }
  int label(std::size_t index) const override { return labels_[index]; }
  std::span<const std::uint8_t> image(std::size_t index, std::span<std::uint8_t>) const override {
    return {pixels_.data() + index * shape_.size(), shape_.size()};
  }

 private:
  Shape shape_;
  int classes_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
};

}  // namespace easgd
