// The batches that a center is evaluated on.
#pragma once

#include <string>
#include <vector>

#include "base/view.h"
#include "data/augmentation.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "data/normalisation.h"

namespace easgd {

struct EvaluationOptions {
  std::size_t batch = 128;
  int crop = 0;           ///< side of the square in the middle; 0: the whole image
  std::size_t limit = 0;  ///< see used_samples()
  Normalisation normalisation = {};
  std::string set = "the data set";  ///< its name, for messages
};

/// A set in its own order, cut in the middle and not mirrored; the last batch may be shorter.
///
/// Thread: belongs to one thread; the set may be shared and has to outlive the loader.
/// Throws: ConfigError and, for a set without images, DataError from the constructor; at() throws
/// what the set throws.
class EvaluationLoader {
 public:
  EvaluationLoader(const Dataset& set, const EvaluationOptions& options);

  std::size_t samples() const { return samples_; }
  std::size_t batches() const { return (samples_ + batch_size_ - 1) / batch_size_; }
  Shape shape() const { return augmentation_.output(); }

  /// The batch number `index`, below batches(); its step is `index`. Valid until the next call.
  const Batch& at(std::size_t index);

 private:
  const Dataset& set_;
  Augmentation augmentation_;
  std::size_t batch_size_;
  std::size_t samples_;
  Buffer images_;
  std::vector<std::int32_t> labels_;
  Scratch scratch_;
  Batch batch_;
};

}  // namespace easgd
