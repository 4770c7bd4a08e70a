#include "data/loader.h"

#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <exception>
#include <thread>

#include "base/error.h"
#include "base/usable_cores.h"

namespace easgd {
namespace {

constexpr std::size_t kSlots = 4;  ///< one in the hands of the step loop, three ahead

enum State : std::uint32_t { free_slot, queued, building, ready };

std::size_t used_samples(const Dataset& set, std::size_t limit) {
  if (set.size() == 0) throw DataError("the data set has no images");
  return limit == 0 ? set.size() : std::min(limit, set.size());
}

}  // namespace

/// The arena is small, because the cores have gradients to compute; a batch of 128 CIFAR images
/// takes about 0.3 ms of one AVX2 core.
void spawn_on_tbb(std::function<void()> task) {
  static tbb::task_arena arena(std::clamp(int(usable_cores()) / 4, 1, 8), 0);
  arena.enqueue(std::move(task));
}

/// Memory of one batch and who may touch it: the step loop while it is free or ready, whoever
/// brought it from queued to building until it is ready.
struct Loader::Slot {
  std::atomic<std::uint32_t> state{free_slot};
  Batch batch;
  Buffer images;
  std::vector<kernels::Crop> crops;
  std::vector<std::int32_t> labels;
  std::vector<std::size_t> indices;
  std::vector<std::uint8_t> scratch;
  std::exception_ptr error;

  bool claim() {
    std::uint32_t expected = queued;
    return state.compare_exchange_strong(expected, building, std::memory_order_acquire);
  }
};

/// What goes into the batch of a step. Immutable.
class Loader::Assembly {
 public:
  Assembly(const Dataset& set, const LoaderOptions& options)
      : set_(set),
        sampling_({used_samples(set, options.limit), options.batch, options.partition,
                   options.order, options.seed, options.worker, options.workers}),
        augmentation_(set.shape(), options.crop, options.normalisation, options.pad),
        random_{options.seed, kernels::Stream::augmentation, options.worker},
        flip_(options.flip),
        resident_{&set, used_samples(set, options.limit), augmentation_.output(),
                  augmentation_.levels()} {}

  const Sampling& sampling() const { return sampling_; }
  const ResidentSet& resident() const { return resident_; }

  void build(Slot& slot) const {
    sampling_.fill(slot.batch.step, slot.indices);
    const std::size_t size = augmentation_.output().size();
    for (std::size_t i = 0; i < slot.indices.size(); ++i) {
      const std::size_t sample = slot.indices[i];
      const auto index = static_cast<std::uint32_t>(i);
      slot.labels[i] = set_.label(sample);
      const Window window = augmentation_.random(random_, slot.batch.step, index, flip_);
      if (!slot.crops.empty()) {
        slot.crops[i] = {std::uint32_t(sample), window.top, window.left, window.mirrored};
      } else {
        augmentation_.apply(set_.image(sample, slot.scratch), window,
                            slot.images.view().subspan(i * size, size));
      }
    }
  }

 private:
  const Dataset& set_;
  Sampling sampling_;
  Augmentation augmentation_;
  kernels::Random random_;
  bool flip_;
  ResidentSet resident_;
};

/// Slot s % kSlots holds step s. Belongs to the step loop; its tasks only build queued slots.
class Loader::Ring {
 public:
  Ring(const Dataset& set, const LoaderOptions& options)
      : assembly_(set, options), spawn_(options.spawn) {
    for (Slot& slot : slots_) {
      if (options.resident) {
        slot.crops.resize(options.batch);
      } else {
        slot.images = options.allocate(options.batch * assembly_.resident().output.size());
        slot.scratch.resize(set.shape().size());
      }
      slot.labels.resize(options.batch);
      slot.indices.resize(options.batch);
      slot.batch = {slot.images, slot.labels, options.worker, 0, slot.crops, &assembly_.resident()};
    }
  }

  /// Tasks that come too late find nothing queued, but they have to have come.
  ~Ring() {
    for (Slot& slot : slots_) withdraw(slot);
    while (tasks_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

  const Assembly& assembly() const { return assembly_; }

  Slot& slot_of(std::uint64_t step) { return slots_[step % kSlots]; }

  /// Makes sure that the slot of this step holds it or is going to.
  void prepare(std::uint64_t step) {
    Slot& slot = slot_of(step);
    if (slot.state.load(std::memory_order_relaxed) != free_slot && slot.batch.step == step) return;
    withdraw(slot);
    slot.batch.step = step;
    slot.state.store(queued, std::memory_order_release);
    tasks_.fetch_add(1, std::memory_order_relaxed);
    try {
      spawn_([this, &slot] {
        if (slot.claim()) build(slot);
        tasks_.fetch_sub(1, std::memory_order_release);
      });
    } catch (...) {
      tasks_.fetch_sub(1, std::memory_order_release);
      throw;
    }
  }

  void build(Slot& slot) {
    try {
      assembly_.build(slot);
    } catch (...) {
      slot.error = std::current_exception();
    }
    slot.state.store(ready, std::memory_order_release);
    slot.state.notify_one();
  }

  /// Until a slot that somebody is building is ready.
  static void wait(Slot& slot) { slot.state.wait(building, std::memory_order_acquire); }

  /// Brings a slot back to the step loop, whatever it was doing.
  static void withdraw(Slot& slot) {
    if (!slot.claim()) wait(slot);
    slot.error = nullptr;
    slot.state.store(free_slot, std::memory_order_relaxed);
  }

 private:
  Assembly assembly_;
  Spawn spawn_;
  std::array<Slot, kSlots> slots_;
  std::atomic<int> tasks_{0};
};

Loader::Loader(const Dataset& set, const LoaderOptions& options)
    : ring_(std::make_unique<Ring>(set, options)) {}

Loader::~Loader() = default;

Shape Loader::shape() const {
  return ring_->assembly().resident().output;
}

std::size_t Loader::samples_in_pass() const {
  return ring_->assembly().sampling().samples_in_pass();
}

const Batch& Loader::next(std::uint64_t step) {
  for (std::uint64_t s = step; s < step + kSlots; ++s) ring_->prepare(s);
  Slot& slot = ring_->slot_of(step);
  if (slot.claim()) {
    ring_->build(slot);
  } else if (slot.state.load(std::memory_order_acquire) != ready) {
    Ring::wait(slot);
  }
  if (slot.error) {
    const std::exception_ptr error = slot.error;
    Ring::withdraw(slot);
    std::rethrow_exception(error);
  }
  return slot.batch;
}

EvaluationLoader::EvaluationLoader(const Dataset& set, const EvaluationOptions& options)
    : set_(set),
      augmentation_(set.shape(), options.crop, options.normalisation),
      batch_size_(options.batch),
      samples_(used_samples(set, options.limit)) {
  if (batch_size_ == 0) throw KeyError("evaluate.batch", "expected at least 1, found 0");
  const std::size_t largest = std::min(batch_size_, samples_);
  images_ = host_buffer(largest * shape().size());
  labels_.resize(largest);
  scratch_.resize(set.shape().size());
}

const Batch& EvaluationLoader::at(std::size_t index) {
  assert(index < batches());
  const std::size_t first = index * batch_size_;
  const std::size_t count = std::min(batch_size_, samples_ - first);
  const std::size_t size = shape().size();
  for (std::size_t i = 0; i < count; ++i) {
    labels_[i] = set_.label(first + i);
    augmentation_.apply(set_.image(first + i, scratch_), augmentation_.center(),
                        images_.view().subspan(i * size, size));
  }
  batch_ = {images_.view().first(count * size), std::span(labels_).first(count), 0, index};
  return batch_;
}

}  // namespace easgd
