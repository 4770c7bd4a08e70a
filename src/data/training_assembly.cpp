#include "data/training_assembly.h"

#include <cassert>

namespace easgd {

bool can_be_resident(const Dataset& set, const CropOptions& crop) {
  return set.has_one_size() && crop.kind == CropKind::window && crop.resize == 0;
}

TrainingAssembly::TrainingAssembly(const Dataset& set, const LoaderOptions& options)
    : set_(set),
      sampling_({used_samples(set, options.limit), options.batch, options.partition, options.order,
                 options.seed, options.worker, options.workers}),
      augmentation_(set, {.crop = options.crop, .normalisation = options.normalisation}),
      random_{options.seed, kernels::Stream::augmentation, options.worker},
      is_resident_(options.resident),
      batch_(options.batch),
      division_(batch_, shape(), is_resident_ ? kAtOnce : options.part_bytes),
      resident_{&set, used_samples(set, options.limit), augmentation_.output(),
                augmentation_.levels()},
      allocate_(options.allocate) {
  assert(!is_resident_ || can_be_resident(set, options.crop));
}

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

void TrainingAssembly::build_part(std::uint32_t part, BatchMemory& to) const {
  const std::uint64_t step = to.batch.step;
  const std::size_t size = shape().size();
  const auto [begin, end] = division_.range(part, batch_);
  if (part == 0) {
    for (const auto& [first, count] : sampling_.coming(step)) set_.will_read(first, count);
  }
  thread_local Scratch scratch;  // once it has grown, a batch allocates nothing
  for (std::size_t i = begin; i < end; ++i) {
    const std::size_t sample = sampling_.image_of(step, i);
    to.labels[i] = set_.label(sample);
    if (is_resident_) {
      const Window window =
          augmentation_.random(set_.shape(), random_, step, std::uint32_t(i)).window;
      to.crops[i] = {std::uint32_t(sample), window.top, window.left, window.mirrored};
    } else {
      const auto choose = [&](Shape image) {
        return augmentation_.random(image, random_, step, std::uint32_t(i));
      };
      augmentation_.apply(sample, std::cref(choose), scratch,
                          to.images.view().subspan(i * size, size));
    }
  }
}

}  // namespace easgd
