// A made-up set of 1,000 classes, whose images have different sizes.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "data/dataset.h"

namespace easgd::testing {

/// Image i is of class 37 i % 1000 and of 8 + i % 5 by 8 + i % 7 pixels in two channels, which it
/// has to decode.
class MixedSizes : public Dataset {
 public:
  static constexpr int kLeast = 8;  // pixels of a side

  explicit MixedSizes(std::size_t size) : size_(size) {}

  Shape shape() const override { return {2, 0, 0}; }
  int classes() const override { return 1000; }
  std::size_t size() const override { return size_; }
  int label(std::size_t index) const override { return int(37 * index % 1000); }
  Image image(std::size_t index, Scratch& scratch) const override {
    const Shape shape = shape_of(index);
    scratch.resize(std::max(scratch.size(), shape.size()));
    for (std::size_t i = 0; i < shape.size(); ++i) scratch[i] = pixel_of(index, i);
    return {shape, std::span(scratch).first(shape.size())};
  }
  std::string image_name(std::size_t index) const override {
    return "class" + std::to_string(label(index)) + "/" + std::to_string(index) + ".png";
  }

  static Shape shape_of(std::size_t index) {
    return {2, kLeast + int(index % 5), kLeast + int(index % 7)};
  }
  static std::uint8_t pixel_of(std::size_t index, std::size_t position) {
    return std::uint8_t((index * 131 + position * 29 + index * position % 251) >> 1);
  }

 private:
  std::size_t size_;
};

}  // namespace easgd::testing
