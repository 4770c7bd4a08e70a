// Pictures that somebody names, as the images that a network knows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace easgd {

/// Without labels. A picture that cannot be decoded, or has no part of the size that is wanted, is
/// black, and why() says what is wrong with it.
class GivenPictures final : public Dataset {
 public:
  /// `like`: the shape of the images that the network was trained on, of one channel or three. If
  /// they had one size, each picture is resized to cover it, and cut to it in the middle. One
  /// channel: brightness, as ITU-R 601 has it.
  /// Throws: DataError for another number of channels.
  GivenPictures(std::vector<std::filesystem::path> paths, Shape like);

  Shape shape() const override { return shape_; }
  int classes() const override { return 1; }
  std::size_t size() const override { return paths_.size(); }
  int label(std::size_t) const override { return 0; }
  Image image(std::size_t index, Scratch& scratch) const override;
  CutImage cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const override;
  std::string image_name(std::size_t index) const override { return paths_[index].string(); }

  /// Of a picture that has been asked for; empty if nothing is wrong with it.
  const std::string& why(std::size_t index) const { return why_[index]; }

 private:
  Image decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const;

  std::vector<std::filesystem::path> paths_;
  Shape shape_;
  mutable std::vector<std::string> why_;  // each written by who asks for that picture
};

}  // namespace easgd
