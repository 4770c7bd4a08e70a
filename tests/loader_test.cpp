// Are batches what they should be, whatever the threads do?
#include "data/loader.h"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/error.h"
#include "data/evaluation_loader.h"
#include "data/permutation.h"
#include "kernels/crop.h"
#include "mixed_sizes.h"

using namespace easgd;
using testing::MixedSizes;

namespace {

constexpr Shape kShape{2, 9, 11};

std::uint8_t pixel_of(std::size_t image, std::size_t position) {
  return static_cast<std::uint8_t>((image * 131 + position * 29 + image * position % 251) >> 1);
}

/// Decodes into scratch; an image's label is its number.
class Numbered : public Dataset {
 public:
  explicit Numbered(std::size_t size) : size_(size) {}
  Shape shape() const override { return kShape; }
  int classes() const override { return static_cast<int>(size_); }
  std::size_t size() const override { return size_; }
  int label(std::size_t index) const override { return static_cast<int>(index); }
  Image image(std::size_t index, Scratch& scratch) const override {
    scratch.resize(kShape.size());
    for (std::size_t i = 0; i < kShape.size(); ++i) scratch[i] = pixel_of(index, i);
    return {kShape, scratch};
  }

 private:
  std::size_t size_;
};

/// Takes its time, more for some images than for others.
class Slow final : public Numbered {
 public:
  using Numbered::Numbered;
  Image image(std::size_t index, Scratch& scratch) const override {
    if (index % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    return Numbered::image(index, scratch);
  }
};

/// Cannot decode some of its images until it is mended.
class Damaged final : public Numbered {
 public:
  Damaged(std::size_t size, std::set<std::size_t> bad) : Numbered(size), bad_(std::move(bad)) {}
  Image image(std::size_t index, Scratch& scratch) const override {
    if (bad_.contains(index) && !mended)
      throw DataError("image " + std::to_string(index) + ": no JPEG");
    return Numbered::image(index, scratch);
  }
  std::atomic<bool> mended{false};

 private:
  std::set<std::size_t> bad_;
};

/// Stops whoever decodes image 1 until it is opened.
class Gated final : public Numbered {
 public:
  using Numbered::Numbered;
  Image image(std::size_t index, Scratch& scratch) const override {
    if (index == 1) {
      entered = true;
      entered.notify_all();
      open.wait(false);
    }
    return Numbered::image(index, scratch);
  }
  mutable std::atomic<bool> entered{false};
  mutable std::atomic<bool> open{false};
};

/// Two plain threads, in place of TBB, whose hand-over the thread sanitizer cannot see.
class Threads {
 public:
  Threads() {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this](std::stop_token stop) { work(stop); });
  }

  void spawn(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    arrived_.notify_one();
  }

 private:
  void work(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (arrived_.wait(lock, stop, [this] { return !tasks_.empty(); })) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::jthread> threads_;
};

void spawn_on_threads(std::function<void()> task) {
  static Threads threads;
  threads.spawn(std::move(task));
}

Normalisation some_normalisation() {
  return {{0.4f, 0.6f}, {0.25f, 0.5f}};
}

LoaderOptions with(std::size_t batch, Partition partition = Partition::whole) {
  LoaderOptions options;
  options.batch = batch;
  options.partition = partition;
  options.seed = 42;
  return options;
}

std::vector<int> labels_of(Loader& loader, std::uint64_t steps) {
  std::vector<int> labels;
  for (std::uint64_t step = 0; step < steps; ++step) {
    const Batch& batch = loader.next(step);
    labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  }
  return labels;
}

bool each_once(std::span<const int> labels, std::size_t count) {
  return labels.size() == count && std::set<int>(labels.begin(), labels.end()).size() == count;
}

struct Recorded {
  std::vector<float> images;
  std::vector<int> labels;
  bool operator==(const Recorded&) const = default;
};

Recorded record(const Dataset& set, const LoaderOptions& options, std::uint64_t steps) {
  Loader loader(set, options);
  Recorded result;
  for (std::uint64_t step = 0; step < steps; ++step) {
    const Batch& batch = loader.next(step);
    result.images.insert(result.images.end(), batch.images.begin(), batch.images.end());
    result.labels.insert(result.labels.end(), batch.labels.begin(), batch.labels.end());
  }
  return result;
}

/// Pixel (c, y, x) of a window, straight from the definition; black over the image's edge.
float normalised(const Image& image, Window window, Shape shape, int c, int y, int x) {
  const int column = window.left + (window.mirrored ? shape.width - 1 - x : x);
  const int row = window.top + y;
  const auto [channels, height, width] = image.shape;
  const bool inside = row >= 0 && row < height && column >= 0 && column < width;
  const std::size_t position = (std::size_t(c) * height + row) * width + column;
  const Normalisation n = some_normalisation();
  const int pixel = inside ? image.pixels[position] : 0;
  return static_cast<float>((pixel / 255.0 - n.mean[c]) / n.deviation[c]);
}

/// `window`: of image `index`.
bool is_window(ConstView found, const Dataset& set, std::size_t index, Window window, Shape shape) {
  Scratch scratch;
  const Image image = set.image(index, scratch);
  std::size_t at = 0;
  for (int c = 0; c < shape.channels; ++c)
    for (int y = 0; y < shape.height; ++y)
      for (int x = 0; x < shape.width; ++x)
        if (found[at++] != normalised(image, window, shape, c, y, x)) return false;
  return true;
}

std::string config_failure(const Dataset& set, const LoaderOptions& options) {
  try {
    Loader loader(set, options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

}  // namespace

namespace {

void check_windows(int pad) {
  CAPTURE(pad);
  const Numbered set(50);
  LoaderOptions options = with(16);
  options.crop.side = 7;
  options.crop.pad = pad;
  options.crop.flip = true;
  options.worker = 3;
  options.workers = 4;
  options.normalisation = some_normalisation();
  Loader loader(set, options);
  CHECK(loader.shape() == Shape{2, 7, 7});
  std::set<std::array<int, 3>> windows;
  for (std::uint64_t step = 0; step < 80; ++step) {
    const Batch& batch = loader.next(step);
    REQUIRE(batch.size() == 16);
    REQUIRE(batch.images.size() == 16 * 2 * 7 * 7);
    CHECK(batch.step == step);
    CHECK(batch.worker == 3);
    for (std::uint32_t i = 0; i < 16; ++i) {
      const std::uint64_t position = step * 16 + i;
      const std::size_t image =
          Permutation(50, {42, kernels::Stream::shuffle, 3}, position / 50)(position % 50);
      REQUIRE(batch.labels[i] == static_cast<int>(image));
      const kernels::Random4 four =
          kernels::Random{42, kernels::Stream::augmentation, 3}.at(step, i);
      const Window window{static_cast<int>(four.below(0, std::uint32_t(3 + 2 * pad))) - pad,
                          static_cast<int>(four.below(1, std::uint32_t(5 + 2 * pad))) - pad,
                          (four.value[2] & 1) == 1};
      windows.insert({window.top, window.left, window.mirrored});
      REQUIRE(is_window(batch.images.subspan(i * 98, 98), set, image, window, loader.shape()));
    }
  }
  CHECK(windows.size() == std::size_t((3 + 2 * pad) * (5 + 2 * pad) * 2));
}

}  // namespace

TEST_CASE("loader: crops and flips are what the counters say, and all of them occur") {
  check_windows(0);
  check_windows(1);
  check_windows(2);  // windows wholly inside, over an edge and over a corner
}

TEST_CASE("loader: without crop, flip and normalisation the image itself, pixel / 255") {
  const Numbered set(10);
  Loader loader(set, with(4));
  const Batch& batch = loader.next(0);
  CHECK(loader.shape() == kShape);
  for (std::size_t i = 0; i < 4 * kShape.size(); ++i)
    REQUIRE(
        batch.images[i] ==
        static_cast<float>(pixel_of(batch.labels[i / kShape.size()], i % kShape.size()) / 255.0));
}

TEST_CASE("loader: whole passes visit every sample once, each worker and pass in its own order") {
  const Numbered set(100);
  std::set<std::vector<int>> orders;
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    LoaderOptions options = with(30);
    options.worker = worker;
    options.workers = 3;
    Loader loader(set, options);
    const std::vector<int> labels = labels_of(loader, 10);  // three passes, without a gap
    for (int pass = 0; pass < 3; ++pass) {
      const auto part = std::span(labels).subspan(pass * 100, 100);
      CHECK(each_once(part, 100));
      orders.insert({part.begin(), part.end()});
    }
  }
  CHECK(orders.size() == 9);
}

TEST_CASE("loader: shards are disjoint, complete, stay the same and are shuffled in every pass") {
  const Numbered set(103);
  std::set<int> all;
  for (std::uint32_t worker = 0; worker < 4; ++worker) {
    LoaderOptions options = with(13, Partition::shard);
    options.worker = worker;
    options.workers = 4;
    Loader loader(set, options);
    const std::size_t count = 103 * (worker + 1) / 4 - 103 * worker / 4;
    const std::vector<int> labels = labels_of(loader, 6);
    const auto first = std::span(labels).first(count),
               second = std::span(labels).subspan(count, count);
    CHECK(each_once(first, count));
    CHECK(std::set<int>(first.begin(), first.end()) == std::set<int>(second.begin(), second.end()));
    CHECK(!std::ranges::equal(first, second));
    CHECK(!std::ranges::is_sorted(first));
    for (const int label : first) CHECK(all.insert(label).second);
  }
  CHECK(all.size() == 103);
}

TEST_CASE("loader: chunks visit every sample once and keep neighbours within a group") {
  constexpr std::size_t kSamples =
      10000;  // two groups of 8 chunks, a third of 3 chunks and 272 samples
  constexpr std::size_t kGroup = Sampling::kChunk * Sampling::kChunksTogether;
  const Numbered set(kSamples);
  std::set<std::vector<int>> orders;
  for (std::uint32_t worker = 0; worker < 2; ++worker) {
    LoaderOptions options = with(1000, Partition::chunks);
    options.worker = worker;
    options.workers = 2;
    Loader loader(set, options);
    const std::vector<int> labels = labels_of(loader, 20);
    for (int pass = 0; pass < 2; ++pass) {
      const auto part = std::span(labels).subspan(pass * kSamples, kSamples);
      CHECK(each_once(part, kSamples));
      std::vector<int> group(part.begin(), part.begin() + kGroup);
      CHECK(!std::ranges::is_sorted(group));
      std::ranges::sort(group);
      std::size_t breaks = group.front() != 0 || group.back() != int(kSamples) - 1;
      for (std::size_t i = 1; i < kGroup; ++i) breaks += group[i] != group[i - 1] + 1;
      CHECK(breaks <= Sampling::kChunksTogether);
      orders.insert({part.begin(), part.end()});
    }
  }
  CHECK(orders.size() == 4);
}

namespace {

/// Keeps which images it was told of, and finds fault with one that comes unannounced.
class Announced final : public Numbered {
 public:
  using Numbered::Numbered;
  void will_read(std::size_t first, std::size_t count) const override {
    const std::lock_guard lock(mutex_);
    told += count;
    most = std::max(most, count);
    for (std::size_t i = first; i < first + count; ++i) ++told_.at(i);
  }
  Image image(std::size_t index, Scratch& scratch) const override {
    const std::lock_guard lock(mutex_);
    if (told_[index]-- == 0) unannounced = true;
    return Numbered::image(index, scratch);
  }
  mutable bool unannounced = false;
  mutable std::size_t told = 0, most = 0;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<int> told_ = std::vector<int>(size());
};

}  // namespace

TEST_CASE("loader: a set is told which runs of neighbours come, before any of them is asked for") {
  for (const std::size_t samples : {300u, 5000u, 10000u}) {
    for (const std::size_t batch : {100u, 977u}) {
      CAPTURE(samples);
      CAPTURE(batch);
      const Announced set(samples);
      LoaderOptions options = with(batch, Partition::chunks);
      options.slots = 1;  // one after the other: with more, parts of two steps may overtake
      Loader loader(set, options);
      const std::size_t steps = 3 * samples / batch + 3;
      for (std::size_t step = 0; step < steps; ++step) loader.next(step);
      CHECK_FALSE(set.unannounced);
      CHECK(set.most <= Sampling::kChunk);
      // What was used, what is left of its groups, and those after them.
      CHECK(set.told <= steps * batch + 2 * Sampling::kChunk * Sampling::kChunksTogether);
    }
  }
  const Announced set(5000);
  Loader loader(set, with(100));
  loader.next(0);
  CHECK(set.told == 0);
}

TEST_CASE("loader: chunks of a set smaller than a chunk") {
  for (const std::size_t samples : {1, 300, 512, 513}) {
    const Numbered set(samples);
    Loader loader(set, with(samples, Partition::chunks));
    const std::vector<int> labels = labels_of(loader, 2);
    CHECK(each_once(std::span(labels).first(samples), samples));
    CHECK(each_once(std::span(labels).last(samples), samples));
  }
}

TEST_CASE("loader: in sequential order the workers take turns, or read their own part") {
  const Numbered set(25);
  LoaderOptions options = with(4);
  options.order = SampleOrder::sequential;
  options.worker = 1;
  options.workers = 2;
  Loader whole(set, options);
  CHECK(labels_of(whole, 4) == std::vector{4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 3, 4, 5, 6});
  options.partition = Partition::shard;
  Loader shard(set, options);
  CHECK(labels_of(shard, 4) ==
        std::vector{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 12, 13, 14});
}

TEST_CASE("loader: a limit takes the first samples; a batch may be larger than the set") {
  const Numbered set(40);
  LoaderOptions options = with(20);
  options.limit = 7;
  Loader loader(set, options);
  const std::vector<int> labels = labels_of(loader, 1);
  CHECK(each_once(std::span(labels).first(7), 7));
  CHECK(*std::ranges::max_element(labels) == 6);
  options.limit = 1000;
  Loader unlimited(set, options);
  CHECK(each_once(labels_of(unlimited, 2), 40));
}

TEST_CASE("loader: the same bits whatever the threads do") {
  const Slow set(200);
  LoaderOptions options = with(32);
  options.crop.side = 8;
  options.crop.flip = true;
  const Recorded expected = record(set, options, 30);
  SUBCASE("on plain threads") {
    options.spawn = spawn_on_threads;
    CHECK(record(set, options, 30) == expected);
  }
  SUBCASE("on no other thread at all") {
    options.spawn = [](const std::function<void()>& task) { task(); };
    CHECK(record(set, options, 30) == expected);
  }
  SUBCASE("again") {
    CHECK(record(set, options, 30) == expected);
  }
  SUBCASE("with room for two batches") {
    options.slots = 2;
    CHECK(record(set, options, 30) == expected);
  }
  SUBCASE("on one thread") {
    const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
    CHECK(record(set, options, 30) == expected);
  }
  SUBCASE("with a slow step loop") {
    Loader loader(set, options);
    for (std::uint64_t step = 0; step < 30; ++step) {
      if (step % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(step % 3));
      const Batch& batch = loader.next(step);
      const std::size_t size = batch.images.size();
      REQUIRE(
          std::ranges::equal(batch.images, std::span(expected.images).subspan(step * size, size)));
    }
  }
  SUBCASE("from the middle, with gaps and backwards") {
    Loader loader(set, options);
    for (const std::uint64_t step : {17, 18, 20, 25, 26, 3, 3, 2, 1, 0, 4, 29}) {
      const Batch& batch = loader.next(step);
      const std::size_t size = batch.images.size();
      REQUIRE(batch.step == step);
      REQUIRE(
          std::ranges::equal(batch.images, std::span(expected.images).subspan(step * size, size)));
    }
  }
}

TEST_CASE("loader: many at once, given up at any time") {
  const Numbered set(500);
  LoaderOptions options = with(16);
  options.crop.side = 5;
  options.crop.flip = true;
  options.workers = 8;
  std::vector<Recorded> expected(8);
  for (std::uint32_t w = 0; w < 8; ++w) {
    options.worker = w;
    expected[w] = record(set, options, 20);
  }
  SUBCASE("on TBB") {}
  SUBCASE("on plain threads") {
    options.spawn = spawn_on_threads;
  }
  SUBCASE("on plain threads, each image a part") {
    options.spawn = spawn_on_threads;
    options.part_bytes = 1;
  }
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> workers;
  for (std::uint32_t w = 0; w < 8; ++w)
    workers.emplace_back([&, w, own = options]() mutable {
      own.worker = w;
      for (int round = 0; round < 5; ++round) {
        wrong += record(set, own, 20) != expected[w];
        Loader given_up(set, own);
        given_up.next(std::uint64_t(round));
      }
    });
  workers.clear();
  CHECK(wrong == 0);
}

TEST_CASE("loader: what the set throws comes out of next, once it is asked for that batch") {
  Damaged set(60, {25});
  LoaderOptions options = with(10);
  options.order = SampleOrder::sequential;
  SUBCASE("on TBB") {}
  SUBCASE("on plain threads") {
    options.spawn = spawn_on_threads;
  }
  Loader loader(set, options);
  CHECK(loader.next(0).labels[0] == 0);
  CHECK(loader.next(1).labels[0] == 10);
  CHECK_THROWS_WITH_AS(loader.next(2), "image 25: no JPEG", DataError);
  CHECK_THROWS_AS(loader.next(2), DataError);
  CHECK(loader.next(3).labels[0] == 30);
  set.mended = true;
  CHECK(loader.next(2).labels[0] == 20);
  CHECK(loader.next(8).labels[0] == 20);
}

TEST_CASE("loader: the same bits in however many parts, by however many threads") {
  const Slow set(200);
  LoaderOptions options = with(33);
  options.crop.side = 8;
  options.crop.flip = true;
  const Recorded expected = record(set, options, 12);
  const std::size_t sample = 2 * 8 * 8 * sizeof(float);
  for (const std::size_t bytes : {std::size_t{1}, 2 * sample, 5 * sample, 32 * sample}) {
    CAPTURE(bytes);
    options.part_bytes = bytes;
    options.spawn = spawn_on_tbb;
    CHECK(record(set, options, 12) == expected);
    options.spawn = spawn_on_threads;
    CHECK(record(set, options, 12) == expected);
    options.spawn = [](const std::function<void()>& task) { task(); };
    CHECK(record(set, options, 12) == expected);
  }
}

TEST_CASE("loader: parts whose tasks never come are built by who needs them") {
  const Numbered set(50);
  LoaderOptions options = with(8);
  const Recorded expected = record(set, options, 10);
  std::vector<std::function<void()>> late;
  options.part_bytes = 1;
  options.spawn = [&](std::function<void()> task) { late.push_back(std::move(task)); };
  Loader loader(set, options);
  for (std::uint64_t step = 0; step < 10; ++step) {
    const ConstView images = loader.next(step).images;
    CHECK(std::ranges::equal(
        images, std::span(expected.images).subspan(step * images.size(), images.size())));
  }
  CHECK(late.size() == 13 * 8);
  // Of past batches they find nothing to build.
  for (const auto& task : late) task();
  const ConstView images = loader.next(9).images;
  CHECK(std::ranges::equal(images, std::span(expected.images).last(images.size())));
}

TEST_CASE("loader: of a batch in parts the first error comes out, and the batch can be mended") {
  Damaged set(60, {27, 23});
  LoaderOptions options = with(10);
  options.order = SampleOrder::sequential;
  options.part_bytes = 1;
  SUBCASE("on TBB") {}
  SUBCASE("on plain threads") {
    options.spawn = spawn_on_threads;
  }
  Loader loader(set, options);
  CHECK(loader.next(1).labels[9] == 19);
  CHECK_THROWS_WITH_AS(loader.next(2), "image 23: no JPEG", DataError);
  CHECK_THROWS_WITH_AS(loader.next(2), "image 23: no JPEG", DataError);
  CHECK(loader.next(3).labels[0] == 30);
  set.mended = true;
  CHECK(loader.next(2).labels[9] == 29);
}

TEST_CASE("loader: a task that cannot be spawned is an error, and the loader is as it was") {
  const Numbered set(40);
  LoaderOptions options = with(4);
  const Recorded expected = record(set, options, 6);
  int spawned = 0;
  options.spawn = [&](std::function<void()> task) {
    if (++spawned == 3) throw std::bad_alloc();
    spawn_on_threads(std::move(task));
  };
  {
    Loader given_up(set, options);
    CHECK_THROWS_AS(given_up.next(0), std::bad_alloc);
  }  // ends, though a task that was announced never comes
  spawned = 0;
  Loader loader(set, options);
  CHECK_THROWS_AS(loader.next(0), std::bad_alloc);
  for (std::uint64_t step = 0; step < 6; ++step) {
    const ConstView images = loader.next(step).images;
    CHECK(std::ranges::equal(
        images, std::span(expected.images).subspan(step * images.size(), images.size())));
  }
}

TEST_CASE("loader: a batch that a task has begun is waited for") {
  const Gated set(8);
  LoaderOptions options = with(1);
  options.order = SampleOrder::sequential;
  Loader loader(set, options);
  loader.next(0);
  set.entered.wait(false);  // a task has begun with step 1
  std::jthread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    set.open = true;
    set.open.notify_all();
  });
  CHECK(loader.next(1).labels[0] == 1);
}

TEST_CASE(
    "loader: images of different sizes, of a thousand classes, each cut within its own sides") {
  const MixedSizes set(3000);
  LoaderOptions options = with(100);
  options.crop.side = 7;
  options.crop.pad = 1;
  options.crop.flip = true;
  options.normalisation = some_normalisation();
  options.part_bytes = 4096;
  Loader loader(set, options);
  CHECK(loader.shape() == Shape{2, 7, 7});
  std::set<int> labels, tops, lefts;
  for (std::uint64_t step = 0; step < 30; ++step) {
    const Batch& batch = loader.next(step);
    for (std::uint32_t i = 0; i < 100; ++i) {
      const std::size_t image =
          Permutation(3000, {42, kernels::Stream::shuffle}, 0)(step * 100 + i);
      REQUIRE(batch.labels[i] == int(37 * image % 1000));
      const auto [channels, height, width] = MixedSizes::shape_of(image);
      const kernels::Random4 four = kernels::Random{42, kernels::Stream::augmentation}.at(step, i);
      const Window window{int(four.below(0, std::uint32_t(height - 7 + 3))) - 1,
                          int(four.below(1, std::uint32_t(width - 7 + 3))) - 1,
                          (four.value[2] & 1) == 1};
      REQUIRE(is_window(batch.images.subspan(i * 98, 98), set, image, window, loader.shape()));
      labels.insert(batch.labels[i]);
      tops.insert(window.top);
      lefts.insert(window.left);
    }
  }
  CHECK(labels.size() == 1000);
  CHECK(tops == std::set{-1, 0, 1, 2, 3, 4, 5, 6});         // of heights up to 12
  CHECK(lefts == std::set{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8});  // of widths up to 14
}

TEST_CASE("evaluation: of images of different sizes the middle of each") {
  const MixedSizes set(40);
  EvaluationLoader loader(
      set, {.batch = 15, .crop = {.side = 6}, .normalisation = some_normalisation()});
  REQUIRE(loader.batches() == 3);
  for (std::size_t image = 0; image < 40; ++image) {
    const Batch& batch = loader.at(image / 15);
    const auto [channels, height, width] = MixedSizes::shape_of(image);
    CHECK(batch.labels[image % 15] == int(37 * image % 1000));
    CHECK(is_window(batch.images.subspan(image % 15 * 72, 72), set, image,
                    {(height - 6) / 2, (width - 6) / 2, false}, loader.shape()));
  }
}

TEST_CASE("evaluation: batches in any order, in parts, and again from the first") {
  const Slow set(47);
  for (const std::size_t slots : {2, 4}) {
    EvaluationLoader loader(set, {.batch = 10, .slots = slots, .spawn = spawn_on_threads});
    for (const std::size_t index : {0, 1, 2, 0, 1, 2, 3, 4, 0, 4, 3, 2}) {
      const Batch& batch = loader.at(index);
      REQUIRE(batch.size() == (index == 4 ? 7 : 10));
      CHECK(batch.step == index);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        CHECK(batch.labels[i] == int(10 * index + i));
        CHECK(batch.images[i * kShape.size()] == float(pixel_of(10 * index + i, 0)) / 255);
      }
    }
  }
}

TEST_CASE("loader: images in memory are resized, too") {
  const Numbered set(40);
  LoaderOptions options = with(40);
  options.crop = {.side = 6, .kind = CropKind::resized, .least_area = 0.3};
  Loader loader(set, options);
  const Batch& batch = loader.next(0);
  const Augmentation augmentation(set, {.crop = options.crop});
  for (std::uint32_t i = 0; i < 40; ++i) {
    const Framing framing =
        augmentation.random(kShape, {42, kernels::Stream::augmentation, 0}, 0, i);
    Scratch scratch, other;
    const Image whole = set.image(std::size_t(batch.labels[i]), scratch);
    const CutImage cut = cut_out(whole, {framing.region, 6, 6, {0, 0, 6, 6}}, other);
    const auto [channels, height, width] = cut.image.shape;
    std::size_t k = i * 72;
    for (int c = 0; c < channels; ++c)
      for (int y = cut.top; y < cut.top + 6; ++y)
        for (int x = cut.left; x < cut.left + 6; ++x)
          CHECK(
              batch.images[k++] ==
              doctest::Approx(cut.image.pixels[std::size_t((c * height + y) * width + x)] / 255.0));
  }
}

TEST_CASE("loader: images of different sizes need a crop that fits them") {
  const MixedSizes set(12);
  LoaderOptions options = with(12);
  options.crop.pad = 2;  // black pixels are no part of an image
  CHECK(config_failure(set, options) ==
        "data.crop: the images have different sizes; expected the side of a square to cut out of "
        "each, as in data.crop = 224");
  CHECK_THROWS_AS(EvaluationLoader(set, {}), KeyError);
  options.crop.side = MixedSizes::kLeast;
  CHECK(Loader(set, options).next(0).size() == 12);
  options.crop.side = 9;
  const char* message =
      "class0/0.png is 8x8, smaller than data.crop = 9; take it out of the set, choose a smaller "
      "crop, or resize all images with data.resize";
  options.order = SampleOrder::sequential;
  Loader loader(set, options);
  CHECK_THROWS_WITH_AS(loader.next(0), message, DataError);
  EvaluationLoader evaluation(set, {.crop = {.side = 9}});
  CHECK_THROWS_WITH_AS(evaluation.at(0), message, DataError);
}

TEST_CASE("loader: wrong options say so") {
  const Numbered set(20);
  LoaderOptions options = with(4);
  SUBCASE("crop") {
    options.crop.side = 10;
    CHECK(config_failure(set, options) == "data.crop: 10 is larger than the images (9x11)");
  }
  SUBCASE("shards") {
    options = with(4, Partition::shard);
    options.workers = 21;
    CHECK(config_failure(set, options) ==
          "data.partition: \"shard\" leaves workers without data: 21 workers, 20 samples");
  }
  SUBCASE("chunks in sequence") {
    options = with(4, Partition::chunks);
    options.order = SampleOrder::sequential;
    CHECK(config_failure(set, options).find("does not go with") != std::string::npos);
  }
  SUBCASE("batch") {
    CHECK(config_failure(set, with(0)) == "workers.batch: expected at least 1, found 0");
  }
  SUBCASE("normalisation") {
    options.normalisation = {{0.5f}, {0.5f}};
    CHECK(config_failure(set, options).find("images of 2 channels") != std::string::npos);
    options.normalisation = {{0.5f, 0.5f}, {0.5f, 0.0f}};
    CHECK(config_failure(set, options).find("data.deviation: that of channel 1 is not positive") !=
          std::string::npos);
  }
  SUBCASE("no images") {
    const Numbered none(0);
    CHECK_THROWS_AS(Loader(none, options), DataError);
    CHECK_THROWS_AS(EvaluationLoader(none, {}), DataError);
  }
}

TEST_CASE("evaluation: the middle of every image in order, the last batch shorter") {
  const Numbered set(23);
  EvaluationLoader loader(
      set, {.batch = 10, .crop = {.side = 6}, .normalisation = some_normalisation()});
  REQUIRE(loader.batches() == 3);
  CHECK(loader.samples() == 23);
  CHECK(loader.shape() == Shape{2, 6, 6});
  for (const std::size_t index : {0, 1, 2, 0}) {
    const Batch& batch = loader.at(index);
    REQUIRE(batch.size() == (index == 2 ? 3u : 10u));
    REQUIRE(batch.images.size() == batch.size() * 72);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::size_t image = index * 10 + i;
      CHECK(batch.labels[i] == static_cast<int>(image));
      CHECK(is_window(batch.images.subspan(i * 72, 72), set, image, {1, 2, false}, loader.shape()));
    }
  }
  CHECK(EvaluationLoader(set, {.batch = 10, .limit = 10}).batches() == 1);
  CHECK(EvaluationLoader(set, {.batch = 100}).at(0).size() == 23);
}

TEST_CASE("a device that keeps the set crops the same images out of it") {
  const Numbered set(40);
  std::vector<std::uint8_t> kept;
  for (std::size_t image = 0; image < set.size(); ++image) {
    for (std::size_t i = 0; i < kShape.size(); ++i) kept.push_back(pixel_of(image, i));
  }
  LoaderOptions options{.batch = 7, .crop = {.side = 8, .pad = 2, .flip = true}};
  options.normalisation = {{0.4f, 0.5f}, {0.2f, 0.3f}};
  Loader wanted(set, options);
  options.resident = true;
  Loader cut(set, options);
  for (std::uint64_t step = 0; step < 20; ++step) {
    const Batch& batch = cut.next(step);
    REQUIRE(batch.images.empty());
    const Batch& whole = wanted.next(step);
    std::vector<float> images(whole.images.size());
    const kernels::CropPass pass{images.data(),
                                 kept.data(),
                                 batch.resident->levels.data(),
                                 batch.crops.data(),
                                 kShape.channels,
                                 kShape.height,
                                 kShape.width,
                                 8,
                                 8};
    for (std::size_t i = 0; i < images.size(); ++i) pass(i);
    CHECK(std::ranges::equal(images, whole.images));
    CHECK(std::ranges::equal(batch.labels, whole.labels));
  }
}
