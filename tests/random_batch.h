// A batch of noise with labels, and parameters of noise, as functions of a seed; and a set of
// images.
#pragma once

#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "kernels/philox.h"
#include "nn/network.h"

namespace easgd::testing {

struct RandomBatch {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  Batch batch;

  RandomBatch(const Network& network, std::size_t size, std::uint64_t seed = 1)
      : images(size * network.input().size()), labels(size) {
    const kernels::Random random{seed, kernels::Stream::synthetic_data};
    for (std::size_t i = 0; i < images.size(); ++i) {
      images[i] = 2 * random.at(0, std::uint32_t(i)).uniform(0) - 1;
    }
    for (std::size_t n = 0; n < size; ++n) {
      labels[n] = int(random.at(1, std::uint32_t(n)).below(0, std::uint32_t(network.classes())));
    }
    batch = Batch{images, labels, 3, 17};
  }
  RandomBatch(const RandomBatch&) = delete;

  /// The samples [begin, end).
  Batch part(std::size_t begin, std::size_t end) const {
    const std::size_t size = images.size() / labels.size();
    Batch b = batch;
    b.images = batch.images.subspan(begin * size, (end - begin) * size);
    b.labels = batch.labels.subspan(begin, end - begin);
    return b;
  }
};

/// Of ten classes in turn, with pixels of every level.
inline ImageTable image_table(Shape shape, std::size_t samples) {
  std::vector<std::uint8_t> pixels(samples * shape.size());
  std::vector<std::int32_t> classes(samples);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = std::uint8_t(i * 37 % 251);
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = std::int32_t(i % 10);
  return {shape, 10, std::move(pixels), std::move(classes)};
}

/// A state: initial weights, with biases and running statistics that are not all equal.
inline std::vector<float> random_parameters(const Network& network, std::uint64_t seed = 1) {
  std::vector<float> x(network.state_count());
  initialise(network, seed, x);
  const kernels::Random random{seed, kernels::Stream::synthetic_data};
  for (const auto& slices : {network.slices(), network.statistics()}) {
    for (const Slice& slice : slices) {
      if (slice.dims.size() > 1) continue;
      for (std::size_t i = 0; i < slice.count; ++i) {
        x[slice.offset + i] += random.at(2, std::uint32_t(slice.offset + i)).uniform(0) - 0.5f;
      }
    }
  }
  return x;
}

}  // namespace easgd::testing
