#include "data/evaluation_loader.h"

#include <algorithm>
#include <cassert>

#include "base/error.h"

namespace easgd {

EvaluationLoader::EvaluationLoader(const Dataset& set, const EvaluationOptions& options)
    : set_(set),
      augmentation_(
          set, {.crop = options.crop, .normalisation = options.normalisation, .set = options.set}),
      batch_size_(options.batch),
      samples_(used_samples(set, options.limit)) {
  if (batch_size_ == 0) throw KeyError("evaluate.batch", "expected at least 1, found 0");
  const std::size_t largest = std::min(batch_size_, samples_);
  images_ = host_buffer(largest * shape().size());
  labels_.resize(largest);
}

const Batch& EvaluationLoader::at(std::size_t index) {
  assert(index < batches());
  const std::size_t first = index * batch_size_;
  const std::size_t count = std::min(batch_size_, samples_ - first);
  const std::size_t size = shape().size();
  for (std::size_t i = 0; i < count; ++i) {
    labels_[i] = set_.label(first + i);
    const Image image = augmentation_.image(first + i, scratch_);
    augmentation_.apply(image, augmentation_.center(image.shape),
                        images_.view().subspan(i * size, size));
  }
  batch_ = {images_.view().first(count * size), std::span(labels_).first(count), 0, index};
  return batch_;
}

}  // namespace easgd
