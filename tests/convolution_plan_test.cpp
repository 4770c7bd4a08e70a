// Does cuDNN itself accept what it is asked for? It plans for a device that is not there, from a
// description of it, so that these graphs are tried on every machine that has the library.

#include "backend/cuda/convolution_plan.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <tuple>

#include "config/reader.h"
#include "evaluate/run_inputs.h"
#include "network_spec.h"
#include "nn/conv2d.h"
#include "settings/config.h"
#include "settings/layer_tables.h"

using namespace easgd;
using namespace easgd::cuda;

namespace {

/// What cuDNN asks a device, for one of compute capability major.minor = `version` / 100.
std::string description(int version) {
  return R"({"version": 1, "cudaDeviceId": 0, "deviceName": "a GPU", "deviceVer": )" +
         std::to_string(version) + R"(, "driverVer": 13000,
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
    "regsPerBlock": 65536, "multiProcessorCount": 108, "warpSize": 32,
    "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 166912,
    "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
    "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0,
    "supportCoopLaunch": 1, "totalGlobalMem": 42949672960, "smClockRateKHz": 1410000,
    "memClockRateKHz": 1215000, "l2CacheSize": 41943040})";
}

/// Empty where this cuDNN does not understand the description.
ConvolutionPlan::Descriptor device(int version) {
  ConvolutionPlan::Descriptor properties;
  const std::string text = description(version);
  const bool made = cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR,
                                                 properties.put()) == CUDNN_STATUS_SUCCESS &&
                    cudnnBackendSetAttribute(properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                             CUDNN_TYPE_CHAR, std::int64_t(text.size()),
                                             text.data()) == CUDNN_STATUS_SUCCESS &&
                    cudnnBackendFinalize(properties) == CUDNN_STATUS_SUCCESS;
  return made ? std::move(properties) : ConvolutionPlan::Descriptor();
}

/// The convolutions of a network, each once.
std::vector<Convolution> convolutions(const Network& network, int batch, Format format) {
  std::vector<Convolution> found;
  std::set<std::tuple<int, int, int, int, int, std::string>> seen;
  for (const Stage& stage : network.stages()) {
    const auto* conv = dynamic_cast<const Conv2d*>(stage.layer.get());
    if (!conv) continue;
    const Convolution c = convolution_of(stage, batch, format);
    const std::string sides = to_string(c.kernel) + to_string(c.pad);
    if (!seen.insert({c.input.channels, c.input.height, c.output.channels, c.output.height,
                      c.groups, sides})
             .second) {
      continue;
    }
    found.push_back(c);
  }
  return found;
}

struct Case {
  const char* network;
  Shape image;
  std::size_t convolutions;
  int classes = 10;
};

Network shipped(const Case& c) {
  const std::string file =
      EASGD_SOURCE_ROOT "/configs/networks/" + std::string(c.network) + ".toml";
  Config config;
  config::read_file(
      file, {}, [&](config::Fields& f) { layer_fields(f, "layer", config.network.layers); },
      "layers");
  return make_network(config, c.image, c.classes);
}

/// cuDNN has a plan for every convolution of the network, in every precision.
void check_plans(const Network& network, std::size_t count,
                 const ConvolutionPlan::Descriptor& properties) {
  for (const Format format : {Format{}, Format{.channels_last = true}, Format{true, true}}) {
    const auto all = convolutions(network, 128, format);
    CHECK(all.size() == count);
    for (const Convolution& c : all) {
      CAPTURE(format.channels_last);
      CAPTURE(format.bf16);
      CAPTURE(to_string(c.input));
      CAPTURE(to_string(c.output));
      CAPTURE(c.groups);
      CAPTURE(to_string(c.kernel));
      const ConvolutionPlan::Target target{.properties = properties};
      for (const Role role : {Role::forward, Role::forward_bias_relu, Role::data, Role::filter}) {
        if (role == Role::forward_bias_relu && !format.channels_last) continue;  // not asked for
        CAPTURE(int(role));
        const auto plan = ConvolutionPlan::make(target, c, role);
        CHECK(plan);
        if (plan) CHECK(plan->workspace() < std::size_t{1} << 32);
      }
    }
  }
}

}  // namespace

TEST_CASE("convolution plans: cuDNN has one for everything that is shipped, in every precision") {
  for (const int version : {800, 900}) {
    const auto properties = device(version);
    if (!properties) {
      MESSAGE("skipped: this cuDNN does not take a device that is not there");
      return;
    }
    CAPTURE(version);
    for (const Case& each :
         {Case{"cifar7", {3, 28, 28}, 3}, Case{"lenet", {1, 28, 28}, 2},
          Case{"resnet20", {3, 32, 32}, 8}, Case{"resnet18", {3, 32, 32}, 11},
          Case{"imagenet11", {3, 221, 221}, 5, 1000},
          Case{"imagenet_resnet18", {3, 224, 224}, 11, 1000},
          Case{"imagenet_resnet50", {3, 224, 224}, 23, 1000}, Case{"photos11", {3, 64, 64}, 5}}) {
      CAPTURE(each.network);
      check_plans(shipped(each), each.convolutions, properties);
    }
  }
}

TEST_CASE("convolution plans: groups of channels, and kernels with two sides") {
  for (const int version : {800, 900}) {
    const auto properties = device(version);
    if (!properties) return;
    CAPTURE(version);
    check_plans(testing::make_network({32, 28, 28}, 4,
                                      "conv channels=32 kernel=3 pad=1 groups=32; "
                                      "conv channels=32 kernel=5 stride=2 pad=2 groups=32; "
                                      "conv channels=64 kernel=3 pad=1 groups=4; "
                                      "conv channels=64 kernel=1x7 pad=0x3; "
                                      "conv channels=64 kernel=7x1 stride=2x1 pad=3x0; "
                                      "conv channels=36 kernel=1; "
                                      "conv channels=36 kernel=3 pad=1 groups=36; "
                                      "conv channels=18 kernel=3 groups=9; linear outputs=4"),
                8, properties);
  }
}
