// What a configuration stands for: the network on its data, and how a center is tested.
#include "evaluate/test_set.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>

#include "base/error.h"
#include "data/dataset_reader.h"
#include "mixed_sizes.h"
#include "network_spec.h"

using namespace easgd;

namespace {

constexpr std::int64_t kSamples = 300;

/// The first kSamples of the built-in set, which a batch norm sees behind a dropout.
Config observing(std::int64_t statistics_samples) {
  Config config;
  config.data.set = "synthetic";
  config.data.limit = kSamples;
  config.data.test_limit = 200;
  config.evaluate.batch = 100;
  config.network.statistics = StatisticsPolicy::recompute;
  config.network.statistics_samples = statistics_samples;
  return config;
}

Network network_of(const Data& data) {
  return testing::make_network(data.split.train->shape(), data.split.train->classes(),
                               "dropout rate=0.5; batchnorm; linear outputs=10");
}

/// The running statistics after prepare(): three means, three variances.
std::vector<float> prepared(std::int64_t statistics_samples, float before) {
  Config config = observing(statistics_samples);
  const Data data(config);
  const Network network = network_of(data);
  std::vector<float> state(network.state_count(), before);
  TestSet(config, data, network).prepare(state);
  CHECK(state[0] == before);  // a parameter
  return {state.end() - std::ptrdiff_t(network.statistic_count()), state.end()};
}

/// Images of different sizes, of which the set knows the mean, and counts who decodes them.
class Counted final : public testing::MixedSizes {
 public:
  Counted(std::size_t size, bool known) : MixedSizes(size), known_(known) {}
  Image image(std::size_t index, Scratch& scratch) const override {
    ++decoded;
    return MixedSizes::image(index, scratch);
  }
  std::optional<Normalisation> normalisation() const override {
    if (!known_) return std::nullopt;
    return Normalisation{{0.25f, 0.5f}, {0.125f, 0.25f}};
  }
  static inline std::atomic<int> decoded{0};

 private:
  bool known_;
};

class CountedReader final : public DatasetReader {
 public:
  std::string name() const override { return "counted"; }
  void fields(config::Fields& f) override { f.flag("known", known, ""); }
  DataSplit read(const DatasetOptions&) const override {
    return {std::make_unique<Counted>(120, known), std::make_unique<Counted>(50, known), "test"};
  }
  bool known = true;
};

const RegisteredDataset kCounted([] { return std::make_unique<CountedReader>(); });

Config counted(bool known) {
  Config config;
  config.data.set = "counted";
  config.data.crop = 8;
  const auto reader = std::make_shared<CountedReader>();
  reader->known = known;
  config.data.own = reader;
  config.evaluate.batch = 20;
  config.workers.batch = 10;
  config.network.statistics = StatisticsPolicy::recompute;
  return config;
}

}  // namespace

TEST_CASE("a mean that the set knows, or that is given, needs no image") {
  Counted::decoded = 0;
  Config config = counted(true);
  const Normalisation known = Data(config).normalisation;
  CHECK(known.mean == std::vector<float>{0.25f, 0.5f});
  CHECK(known.deviation == std::vector<float>{0.125f, 0.25f});
  config.data.mean = {0.5, 0.75};
  config.data.deviation = {1, 2};
  CHECK(Data(config).normalisation.mean == std::vector<float>{0.5f, 0.75f});
  CHECK(Counted::decoded == 0);
  const Normalisation measured = Data(counted(false)).normalisation;
  CHECK(Counted::decoded == 120);
  CHECK(measured.mean[0] == doctest::Approx(0.5).epsilon(0.1));
}

TEST_CASE("batches that are prepared stay within data.memory") {
  Config config = counted(true);
  config.workers.devices = {"cpu", "cpu"};
  config.workers.batch = 1000;  // 2,020 of all are 0.986 MiB
  const auto slots = [&](std::int64_t memory) {
    config.data.memory = memory;
    return batch_slots(config, {2, 0, 0});
  };
  CHECK(slots(100) == kBatchSlots);
  CHECK(slots(3) == 3);
  CHECK(slots(2) == 2);
  CHECK_THROWS_WITH_AS(slots(1),
                       "data.memory: 1 MiB do not hold 2 batches of each worker and of the "
                       "evaluator; expected 2 or more, or smaller batches",
                       KeyError);
}

TEST_CASE("a network learns and is tested on images of different sizes, of a thousand classes") {
  Config config = counted(true);
  const Data data(config);
  const Network network =
      testing::make_network(cropped(data.split.train->shape(), {.side = 8}),
                            data.split.train->classes(), "batchnorm; linear outputs=1000");
  CHECK(network.classes() == 1000);
  std::vector<float> state(network.state_count());
  initialise(network, 1, state);
  TestSet test(config, data, network);
  CHECK(test.prepare(state));
  const Tally tally = test.evaluate(state);
  CHECK(tally.samples == 50);
  CHECK(tally.mean_loss() == doctest::Approx(std::log(1000)).epsilon(0.2));
}

TEST_CASE("a test that is given up between two batches leaves nothing to the next one") {
  const Config config = counted(true);
  const Data data(config);
  const Network network = testing::make_network(cropped(data.split.train->shape(), {.side = 8}),
                                                data.split.train->classes(), "linear outputs=1000");
  std::vector<float> state(network.state_count());
  int batches_left = 1;
  TestSet test(config, data, network, [&] { return batches_left-- == 0; });
  CHECK_THROWS_AS(test.evaluate(state), GivenUp);
  CHECK(test.evaluate(state).samples == 50);
}

TEST_CASE(
    "recomputed statistics are the data's: normalised, without dropout, nothing left of before") {
  for (const float before : {0.0f, 1e6f}) {
    const std::vector<float> statistics = prepared(kSamples, before);
    REQUIRE(statistics.size() == 6);
    // Every sample once. The mean over batches is the mean over samples; of variances nearly so.
    for (int c = 0; c < 3; ++c) {
      CHECK(statistics[std::size_t(c)] == doctest::Approx(0).epsilon(1e-4));
      CHECK(statistics[std::size_t(3 + c)] == doctest::Approx(1).epsilon(0.02));
    }
  }
}

TEST_CASE("recomputed statistics are of as many samples as asked for") {
  const std::vector<float> all = prepared(kSamples, 0), some = prepared(100, 0);
  for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(some[c]) > 10 * std::abs(all[c]));
  CHECK(prepared(kSamples + 1, 0) == all);  // there are no more
}

TEST_CASE("statistics that are kept or averaged are left as they came") {
  for (const StatisticsPolicy policy : {StatisticsPolicy::keep, StatisticsPolicy::average}) {
    Config config = observing(kSamples);
    config.network.statistics = policy;
    const Data data(config);
    const Network network = network_of(data);
    std::vector<float> state(network.state_count(), 7);
    TestSet(config, data, network).prepare(state);
    CHECK(state == std::vector<float>(network.state_count(), 7));
  }
}

TEST_CASE("recomputed statistics are of whole batches, at least one") {
  CHECK(prepared(199, 0) == prepared(100, 0));
  CHECK(prepared(1, 0) == prepared(100, 0));
  CHECK(prepared(200, 0) != prepared(100, 0));
}

TEST_CASE("a batch of one has no variance where an image has one pixel") {
  const auto network = [](Shape shape) {
    return testing::make_network(shape, 4, "batchnorm; linear outputs=4");
  };
  CHECK_THROWS_WITH_AS(check_batch("evaluate.batch", 1, network({3, 1, 1})),
                       doctest::Contains("evaluate.batch: a batch of 1 leaves each channel of "
                                         "batchnorm1"),
                       KeyError);
  CHECK_NOTHROW(check_batch("evaluate.batch", 2, network({3, 1, 1})));
  CHECK_NOTHROW(check_batch("evaluate.batch", 1, network({3, 2, 1})));
}
