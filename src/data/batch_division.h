// How the samples of a batch are divided into parts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/shape.h"

namespace easgd {

/// Parts of about `part_bytes` of images, as float32, and of at least one sample.
class BatchDivision {
 public:
  BatchDivision(std::size_t batch, Shape sample, std::size_t part_bytes)
      : part_(std::clamp(part_bytes / (sample.size() * sizeof(float)), up(batch, kMostParts),
                         std::max<std::size_t>(batch, 1))),
        parts_(std::uint32_t(up(batch, part_))) {}

  std::uint32_t parts() const { return parts_; }

  struct Range {
    std::size_t begin, end;
  };
  /// Samples of a part of a batch that has `size` samples.
  Range range(std::uint32_t part, std::size_t size) const {
    return {std::min(part * part_, size), std::min((part + 1) * part_, size)};
  }

 private:
  static constexpr std::size_t kMostParts = 256;  // more than there are threads that prepare data

  static std::size_t up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

  std::size_t part_;
  std::uint32_t parts_;
};

}  // namespace easgd
