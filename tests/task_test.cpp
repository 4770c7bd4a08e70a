// What a configuration stands for: the network on its data, and how a center is tested.
#include "train/test_set.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "network_spec.h"
#include "temporary_folder.h"
#include "train/safetensors.h"

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
  config.network.statistics = "recompute";
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

}  // namespace

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
  for (const char* policy : {"keep", "average"}) {
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

namespace {

/// A file with one tensor "linear1.weight" [1][1] of `dtype`, which is `bytes` long, and the others
/// of a network of one linear layer.
std::string safetensors_file(const testing::TemporaryFolder& folder, const std::string& dtype,
                             const std::string& bytes, const std::string& more = "") {
  const std::string path = folder / (dtype + ".safetensors");
  const std::string begin = std::to_string(bytes.size()), end = std::to_string(bytes.size() + 4);
  std::string header = R"({"linear1.weight":{"dtype":")" + dtype +
                       R"(","shape":[1,1],"data_offsets":[0,)" + begin +
                       R"(]},"linear1.bias":{"dtype":"F32","shape":[1],"data_offsets":[)" + begin +
                       "," + end + "]}" + more + "}";
  std::ofstream stream(path, std::ios::binary);
  const std::uint64_t length = header.size();
  stream.write(reinterpret_cast<const char*>(&length), 8);
  stream << header << bytes << std::string(4, '\0');
  return path;
}

}  // namespace

TEST_CASE("tensors of other types are passed over, unless they are wanted") {
  const Network network = testing::make_network({1, 1, 1}, 1, "linear outputs=1");
  std::vector<float> state(2, 5);
  const std::string one("\0\0\x80\x3f", 4);
  const testing::TemporaryFolder folder;
  const auto counted = safetensors_file(
      folder, "F32", one,
      R"(,"norm.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]})");
  safetensors::load(safetensors::read(counted), counted, network, state);
  CHECK(state == std::vector<float>{1, 0});
  const auto half = safetensors_file(folder, "F16", "ab");
  CHECK_THROWS_WITH_AS(safetensors::load(safetensors::read(half), half, network, state),
                       doctest::Contains("linear1.weight: expected dtype F32, found F16"),
                       DataError);
}

TEST_CASE("a safetensors file that is longer than its tensors is told") {
  const testing::TemporaryFolder folder;
  const std::string path = safetensors_file(folder, "F32", std::string("\0\0\x80\x3f", 4));
  CHECK_NOTHROW(safetensors::read(path));
  std::ofstream(path, std::ios::binary | std::ios::app) << "more";
  CHECK_THROWS_WITH_AS(safetensors::read(path),
                       doctest::Contains("data: 4 bytes follow the last tensor"), DataError);
}

TEST_CASE("a damaged header of a safetensors file is told with its place") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "damaged.safetensors";
  const std::string header = R"({"linear1.bias":{"dtype":"F32",,"shape":[1]}})";
  std::ofstream stream(path, std::ios::binary);
  const std::uint64_t length = header.size();
  stream.write(reinterpret_cast<const char*>(&length), 8);
  stream << header << std::flush;
  CHECK_THROWS_WITH_AS(safetensors::read(path),
                       doctest::Contains("the header is damaged: expected JSON"), DataError);
  CHECK_THROWS_WITH_AS(safetensors::read(path), doctest::Contains("at byte 40"), DataError);
}
