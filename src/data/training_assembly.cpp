#include "data/training_assembly.h"

#include <algorithm>
#include <cassert>

namespace easgd {
namespace {

std::size_t divided_up(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

/// Samples of a part.
std::size_t part_size(const LoaderOptions& options, Shape sample) {
  constexpr std::size_t kMostParts = 256;      // more than there are threads that prepare data
  if (options.resident) return options.batch;  // no images
  const std::size_t fitting = options.part_bytes / (sample.size() * sizeof(float));
  return std::clamp(fitting, divided_up(options.batch, kMostParts), options.batch);
}

}  // namespace

TrainingAssembly::TrainingAssembly(const Dataset& set, const LoaderOptions& options)
    : set_(set),
      sampling_({used_samples(set, options.limit), options.batch, options.partition, options.order,
                 options.seed, options.worker, options.workers}),
      augmentation_(set, {.crop = options.crop,
                          .pad = options.pad,
                          .flip = options.flip,
                          .normalisation = options.normalisation,
                          .set = options.set}),
      random_{options.seed, kernels::Stream::augmentation, options.worker},
      is_resident_(options.resident),
      batch_(options.batch),
      part_(part_size(options, shape())),
      resident_{&set, used_samples(set, options.limit), augmentation_.output(),
                augmentation_.levels()},
      allocate_(options.allocate) {
  assert(set.has_one_size() || !is_resident_);
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

std::uint32_t TrainingAssembly::parts() const {
  return std::uint32_t(divided_up(batch_, part_));
}

void TrainingAssembly::build_part(std::uint32_t part, BatchMemory& to) const {
  const std::uint64_t step = to.batch.step;
  const std::size_t size = shape().size(), end = std::min(batch_, (part + 1) * part_);
  thread_local Scratch scratch;  // once it has grown, a batch allocates nothing
  for (std::size_t i = part * part_; i < end; ++i) {
    const std::size_t sample = sampling_.image_of(step, i);
    to.labels[i] = set_.label(sample);
    if (is_resident_) {
      const Window window = augmentation_.random(set_.shape(), random_, step, std::uint32_t(i));
      to.crops[i] = {std::uint32_t(sample), window.top, window.left, window.mirrored};
    } else {
      const Image image = augmentation_.image(sample, scratch);
      const Window window = augmentation_.random(image.shape, random_, step, std::uint32_t(i));
      augmentation_.apply(image, window, to.images.view().subspan(i * size, size));
    }
  }
}

}  // namespace easgd
