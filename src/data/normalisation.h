// Brings the pixels of every channel to mean 0 and deviation 1.
#pragma once

#include <cstddef>
#include <vector>

namespace easgd {

class Dataset;

/// normalised = (pixel / 255 - mean) / deviation, one mean and deviation a channel.
/// Empty vectors stand for mean 0 and deviation 1: pixel / 255.
struct Normalisation {
  std::vector<float> mean;
  std::vector<float> deviation;
};

/// The least deviation that is divided by, measured or given.
constexpr double kLeastDeviation = 1e-6;

/// Mean and deviation of pixel / 255 over all pixels of the first `limit` images (see
/// used_samples). A
/// channel that varies less than kLeastDeviation counts as one that does not, and gets deviation 1.
/// Sums are integers, so the bits do not depend on the threads.
/// Throws: what decoding an image throws; DataError if there is no image.
Normalisation measure_normalisation(const Dataset& set, std::size_t limit = 0);

}  // namespace easgd
