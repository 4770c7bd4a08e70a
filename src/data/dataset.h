// What a data set is to the rest of the program: numbered, labelled images of 8-bit pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "data/cut.h"
#include "data/normalisation.h"

namespace easgd {

struct Image {
  Shape shape;
  std::span<const std::uint8_t> pixels;  ///< [C][H][W], 0..255
};

/// Pixels among which a wanted part lies: from (top, left) on.
struct CutImage {
  Image image;
  int top = 0, left = 0;
};

/// Memory that a set decodes an image into. The set makes it as large as it needs.
using Scratch = std::vector<std::uint8_t>;

/// Thread: all members may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  /// Of every image. If images have different sizes, height and width are 0.
  virtual Shape shape() const = 0;
  virtual int classes() const = 0;
  virtual std::size_t size() const = 0;
  /// 0 .. classes()-1.
  virtual int label(std::size_t index) const = 0;
  /// Its pixels are in the set, or in `scratch` if the set has to decode first.
  virtual Image image(std::size_t index, Scratch& scratch) const = 0;
  /// The part of an image that is chosen once its shape is known. A set that decodes need not
  /// decode more; any other resizes its whole image if that is asked for.
  virtual CutImage cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const;

  /// What messages call an image: "image 17", or the path of its file.
  virtual std::string image_name(std::size_t index) const;
  /// Mean and deviation, if they are known without reading all images.
  virtual std::optional<Normalisation> normalisation() const { return std::nullopt; }
  /// How many images could not be decoded so far, so that others took their places.
  virtual std::size_t bad_images() const { return 0; }
  /// Bytes that the set itself takes, all the time.
  virtual std::size_t memory() const { return 0; }
  /// These neighbours are going to be asked for, in any order: a set on a slow disk has them read.
  virtual void will_read(std::size_t /*first*/, std::size_t /*count*/) const {}

  bool has_one_size() const { return shape().height > 0; }
};

/// A cut of pixels that are there: those of the image itself, or resized ones, in `scratch`, where
/// the image may lie, too.
CutImage cut_out(const Image& whole, const Cut& cut, Scratch& scratch);

/// What is chosen of an image of that shape, all black. Without height and width: of an image that
/// is large enough for any cut.
Image black_cut(Shape image, const ChooseCut& choose, Scratch& scratch);

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
  /// In the order of labels; empty if they have no names. Bytes as they were found.
  std::vector<std::string> class_names = {};
};

/// An in-memory set: pixels [N][C][H][W] and labels [N]. What most readers return.
class ImageTable final : public Dataset {
 public:
  ImageTable(Shape shape, int classes, std::vector<std::uint8_t> pixels,
             std::vector<std::int32_t> labels)
      : shape_(shape), classes_(classes), pixels_(std::move(pixels)), labels_(std::move(labels)) {}

  Shape shape() const override { return shape_; }
  int classes() const override { return classes_; }
  std::size_t size() const override { return labels_.size(); }
  int label(std::size_t index) const override { return labels_[index]; }
  Image image(std::size_t index, Scratch&) const override {
    return {shape_, {pixels_.data() + index * shape_.size(), shape_.size()}};
  }
  std::size_t memory() const override {
    return pixels_.size() + labels_.size() * sizeof labels_[0];
  }

 private:
  Shape shape_;
  int classes_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::int32_t> labels_;
};

}  // namespace easgd
