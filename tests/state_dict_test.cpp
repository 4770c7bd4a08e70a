// State dicts that PyTorch and the safetensors package have written, in four dtypes, under
// DataParallel: are they what PyTorch reads? tests/golden/make_state_dicts.py made them.
#include <doctest/doctest.h>

#include <bit>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/backend_kind.h"
#include "base/error.h"
#include "network_spec.h"
#include "nn/safetensors.h"

using namespace easgd;
using nlohmann::json;

namespace {

const std::string kFolder = EASGD_SOURCE_ROOT "/tests/golden/";
const char* const kDtypes[] = {"F32", "F16", "BF16", "F64"};

json golden() {
  std::ifstream file(kFolder + "state_dict.json");
  return json::parse(file);
}

Network network_of(int channels) {
  return testing::make_network(
      {2, 6, 6}, 3,
      "conv kernel=3 channels=" + std::to_string(channels) + "; batchnorm; relu; linear outputs=3");
}

std::string path_of(const std::string& dtype) {
  return kFolder + "state_dict_" + dtype + ".safetensors";
}

Buffer loaded(const std::string& dtype, const Network& network) {
  Buffer state = host_buffer(network.state_count());
  safetensors::load(safetensors::read(path_of(dtype)), path_of(dtype), network, state);
  return state;
}

}  // namespace

TEST_CASE("PyTorch's state dicts have the values that PyTorch reads, to the last bit") {
  const json expected = golden();
  const Network network = network_of(3);
  for (const char* dtype : kDtypes) {
    CAPTURE(dtype);
    const Buffer state = loaded(dtype, network);
    std::size_t tensors = 0;
    for (const auto& slices : {network.slices(), network.statistics()}) {
      for (const Slice& slice : slices) {
        CAPTURE(slice.name);
        const auto values =
            expected["files"][dtype]["tensors"].at(slice.name).get<std::vector<double>>();
        const ConstView ours = slice.of(ConstView(state));
        REQUIRE(values.size() == ours.size());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < ours.size(); ++i) {
          const float value = float(values[i]);
          wrong += std::bit_cast<std::uint32_t>(value) != std::bit_cast<std::uint32_t>(ours[i]);
        }
        CHECK(wrong == 0);
        ++tensors;
      }
    }
    CHECK(tensors == expected["files"][dtype]["tensors"].size());
  }
}

TEST_CASE("PyTorch's state dicts have the loss that PyTorch has") {
  const json expected = golden();
  const auto images = expected["images"].get<std::vector<float>>();
  const auto labels = expected["labels"].get<std::vector<std::int32_t>>();
  const Network network = network_of(3);
  const auto backend = make_backend("cpu");
  const auto model = backend->compile(network, {.batch = labels.size(), .training = false});
  for (const char* dtype : kDtypes) {
    CAPTURE(dtype);
    const Buffer state = loaded(dtype, network);
    Batch batch;
    batch.images = images;
    batch.labels = labels;
    model->evaluate(state, batch);
    const double theirs = expected["files"][dtype]["loss"];
    CHECK(model->take_tally().mean_loss() == doctest::Approx(theirs).epsilon(1e-6));
  }
}

TEST_CASE("of a state dict of another network the first misfit is told, and how many more") {
  const Network network = network_of(4);
  std::string told;
  try {
    loaded("F16", network);
  } catch (const DataError& e) {
    told = e.what();
  }
  CHECK(told == path_of("F16") +
                    ": module.conv1.weight: expected 4x2x3x3, found 3x2x3x3; and 6 more of "
                    "the network's 8 tensors are missing or do not fit");
}
