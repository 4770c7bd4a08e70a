#include "data/training_assembly.h"

namespace easgd {

TrainingAssembly::TrainingAssembly(const Dataset& set, const LoaderOptions& options)
    : set_(set),
      sampling_({used_samples(set, options.limit), options.batch, options.partition, options.order,
                 options.seed, options.worker, options.workers}),
      augmentation_(set.shape(), options.crop, options.normalisation, options.pad),
      random_{options.seed, kernels::Stream::augmentation, options.worker},
      flip_(options.flip),
      batch_(options.batch),
      is_resident_(options.resident),
      resident_{&set, used_samples(set, options.limit), augmentation_.output(),
                augmentation_.levels()},
      allocate_(options.allocate) {}

BatchMemory TrainingAssembly::make_memory() const {
  BatchMemory memory;
  if (is_resident_) {
    memory.crops.resize(batch_);
  } else {
    memory.images = allocate_(batch_ * shape().size());
  }
  memory.labels.resize(batch_);
  memory.batch = {memory.images, memory.labels, random_.worker, 0, memory.crops, &resident_};
  return memory;
}

void TrainingAssembly::build(BatchMemory& to) const {
  const std::uint64_t step = to.batch.step;
  const std::size_t size = shape().size();
  std::vector<std::uint8_t> scratch(set_.shape().size());
  for (std::size_t i = 0; i < batch_; ++i) {
    const std::size_t sample = sampling_.image_of(step, i);
    to.labels[i] = set_.label(sample);
    const Window window = augmentation_.random(random_, step, std::uint32_t(i), flip_);
    if (is_resident_) {
      to.crops[i] = {std::uint32_t(sample), window.top, window.left, window.mirrored};
    } else {
      augmentation_.apply(set_.image(sample, scratch), window,
                          to.images.view().subspan(i * size, size));
    }
  }
}

}  // namespace easgd
