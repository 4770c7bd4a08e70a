#include "data/evaluation_loader.h"

#include <algorithm>
#include <cassert>
#include <memory>

#include "base/error.h"
#include "data/batch_division.h"

namespace easgd {
namespace {

std::size_t checked_batch(const EvaluationOptions& options) {
  if (options.batch == 0) throw KeyError("evaluate.batch", "expected at least 1, found 0");
  return options.batch;
}

/// Thread: immutable.
class EvaluationAssembly final : public BatchAssembly {
 public:
  EvaluationAssembly(const Dataset& set, const EvaluationOptions& options)
      : set_(set),
        augmentation_(set, {.crop = options.crop, .normalisation = options.normalisation}),
        samples_(used_samples(set, options.limit)),
        largest_(std::min(options.batch, samples_)),
        division_(largest_, augmentation_.output(), LoaderOptions().part_bytes),
        allocate_(options.allocate) {}

  BatchMemory make_memory() const override {
    BatchMemory memory;
    memory.images = allocate_(largest_ * augmentation_.output().size());
    memory.labels.resize(largest_);
    return memory;
  }

  std::uint64_t batches() const override { return (samples_ + largest_ - 1) / largest_; }
  std::uint32_t parts() const override { return division_.parts(); }

  void begin(BatchMemory& to) const override {
    const std::size_t size = std::min(largest_, samples_ - to.batch.step * largest_);
    to.batch.images = to.images.view().first(size * augmentation_.output().size());
    to.batch.labels = std::span(to.labels).first(size);
  }

  void build_part(std::uint32_t part, BatchMemory& to) const override {
    const std::size_t first = to.batch.step * largest_, size = augmentation_.output().size();
    const auto [begin, end] = division_.range(part, to.batch.size());
    thread_local Scratch scratch;
    for (std::size_t i = begin; i < end; ++i) {
      to.labels[i] = set_.label(first + i);
      augmentation_.apply(
          first + i, [this](Shape image) { return augmentation_.center(image); }, scratch,
          to.images.view().subspan(i * size, size));
    }
  }

 private:
  const Dataset& set_;
  Augmentation augmentation_;
  std::size_t samples_;
  std::size_t largest_;  ///< samples of a batch, but for the last
  BatchDivision division_;
  std::function<Buffer(std::size_t)> allocate_;
};

}  // namespace

EvaluationLoader::EvaluationLoader(const Dataset& set, const EvaluationOptions& options)
    : batch_size_(checked_batch(options)),
      samples_(used_samples(set, options.limit)),
      shape_(cropped(set.shape(), options.crop)),
      ring_(std::make_unique<EvaluationAssembly>(set, options), options.spawn, options.slots) {}

const Batch& EvaluationLoader::at(std::size_t index) {
  assert(index < batches());
  return ring_.next(index);
}

}  // namespace easgd
