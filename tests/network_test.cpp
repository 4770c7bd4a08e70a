// Networks whose layers are fed by any earlier layer: wiring, parts, the places of tensors, and
// what is said of mistakes.
#include "nn/network.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "network_spec.h"

using namespace easgd;

namespace {

std::string complaint(const std::string& layers) {
  try {
    testing::make_network({3, 8, 8}, 4, layers);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

void contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  CHECK(text.find(part) != std::string::npos);
}

std::vector<std::string> names(const std::vector<Slice>& slices) {
  std::vector<std::string> all;
  for (const Slice& slice : slices) all.push_back(slice.name);
  return all;
}

}  // namespace

TEST_CASE("a residual block stands for its parts, with torchvision's names") {
  const Network network = testing::make_network(
      {3, 8, 8}, 4, "residual channels=5 stride=2; avgpool kernel=4; linear outputs=4");
  const std::vector<std::string> parameters = {"residual1.conv1.weight",
                                               "residual1.bn1.weight",
                                               "residual1.bn1.bias",
                                               "residual1.conv2.weight",
                                               "residual1.bn2.weight",
                                               "residual1.bn2.bias",
                                               "residual1.downsample.0.weight",
                                               "residual1.downsample.1.weight",
                                               "residual1.downsample.1.bias",
                                               "linear3.weight",
                                               "linear3.bias"};
  CHECK(names(network.slices()) == parameters);
  CHECK(names(network.statistics())[0] == "residual1.bn1.running_mean");
  CHECK(network.parameter_count() == 5 * 3 * 9 + 5 * 5 * 9 + 5 * 3 + 3 * 10 + 4 * 5 + 4);
  CHECK(network.statistic_count() == 3 * 10);
  CHECK(network.statistics()[0].offset == network.parameter_count());
  CHECK(network.statistics().back().offset + 5 == network.state_count());

  std::vector<float> state(network.state_count(), 7);
  initialise(network, 1, state);
  for (const Slice& slice : network.statistics()) {
    CHECK(slice.of(ConstView(state))[0] == (slice.name.ends_with("running_var") ? 1 : 0));
  }
  CHECK(network.slices()[1].of(ConstView(state))[0] == 1);  // the scale of a normalisation

  const Network same = testing::make_network({5, 8, 8}, 4, "residual channels=5; linear outputs=4");
  CHECK(same.statistic_count() == 2 * 10);  // no projection where the shapes agree
}

TEST_CASE("a layer takes the output of the layer that it names") {
  const Network network = testing::make_network({3, 8, 8}, 4,
                                                "relu; tanh from=images; conv channels=3 kernel=1 "
                                                "from=relu1; add with=tanh2; linear outputs=4");
  const std::vector<Stage>& stages = network.stages();
  CHECK(stages[0].inputs == std::vector{Stage::kImages});
  CHECK(stages[1].inputs == std::vector{Stage::kImages});
  CHECK(stages[2].inputs == std::vector<std::size_t>{0});
  CHECK(stages[3].inputs == std::vector<std::size_t>{2, 1});
  CHECK(stages[4].inputs == std::vector<std::size_t>{3});
}

TEST_CASE("mistakes in the wiring are told with the layer") {
  contains(complaint("relu; tanh from=conv9; linear outputs=4"),
           "layer 2 \"tanh2\" (tanh): takes the output of \"conv9\", but no layer before it");
  contains(complaint("conv channels=4 kernel=3 groups=2; linear outputs=4"),
           "groups 2 must divide the channels of its input, 3, and its own, 4");
  contains(complaint("conv channels=4 kernel=3x1 pad=1x0; conv channels=4 kernel=2 pad=1x2; "
                     "linear outputs=4"),
           "pad 1x2 must be smaller than kernel 2x2");
  contains(complaint("maxpool kernel=3x2 pad=1x2; linear outputs=4"),
           "pad 1x2 must be at most half the window 3x2");
  contains(complaint("maxpool kernel=12 pad=1; linear outputs=4"),
           "a 12x12 window does not fit an input of 8x8 with pad 1x1");
  contains(complaint("bottleneck channels=6; linear outputs=4"),
           "channels must be a multiple of 4; found 6");
  contains(complaint("relu; add; linear outputs=4"), "layer 2 \"add2\" (add): needs with = ");
  contains(complaint("conv channels=2 kernel=3; add with=images; linear outputs=4"),
           "layer 2 \"add2\" (add): its inputs have different shapes, 2x6x6 and 3x8x8");
  contains(complaint("relu; tanh from=images; linear outputs=4"),
           "layer 1 \"relu1\" (relu): no layer takes its output");
  contains(complaint("residual channels=4 stride=9; conv channels=2 kernel=3; linear outputs=4"),
           "(conv): a 3x3 kernel does not fit");
  {
    auto layer = Registry<LayerEntry>::get("relu")();
    layer->name = "images";
    std::vector<std::shared_ptr<Layer>> layers;
    layers.push_back(std::move(layer));
    CHECK_THROWS_WITH_AS(Network({3, 8, 8}, 4, layers),
                         "network: layer 1 \"images\" (relu): the name stands for the input",
                         ConfigError);
  }
  contains(complaint("linear outputs=7"), "it sees 7x1x1 values, but the data set has 4 classes");
}
