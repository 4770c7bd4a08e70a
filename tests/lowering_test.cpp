// What a backend makes of a network's stages: which ReLUs disappear in the layer before, and which
// gradients are sums.
#include "nn/lowering.h"

#include <doctest/doctest.h>

#include "network_spec.h"

using namespace easgd;

namespace {

constexpr std::size_t kImages = Stage::kImages;

/// The links of a network in which every layer but a ReLU absorbs one, with the network they point
/// into.
struct Lowered {
  explicit Lowered(const std::string& layers)
      : network(testing::make_network({3, 8, 8}, 4, layers)),
        links(absorb_relus(links_of(network.stages()),
                           [](const Link& link) { return link.stage->layer->kind() != "relu"; })) {}

  Network network;
  std::vector<Link> links;
};

std::vector<std::size_t> outputs(const std::vector<Link>& links) {
  std::vector<std::size_t> all;
  for (const Link& link : links) all.push_back(link.output);
  return all;
}

std::vector<std::size_t> with_relu(const std::vector<Link>& links) {
  std::vector<std::size_t> all;
  for (const Link& link : links) {
    if (link.relu) all.push_back(link.output);
  }
  return all;
}

}  // namespace

TEST_CASE("lowering: each stage is a link, of the values that it takes and makes") {
  const Network network =
      testing::make_network({3, 8, 8}, 4, "conv channels=3 kernel=3; relu; linear outputs=4");
  const std::vector<Link> links = links_of(network.stages());
  CHECK(outputs(links) == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(links[0].inputs == std::vector{kImages});
  CHECK(links[3].inputs == std::vector<std::size_t>{2});
  CHECK(links[2].stage == &network.stages()[2]);
}

TEST_CASE(
    "lowering: a residual block keeps no ReLU of its own, and its input's gradient is a sum") {
  // 0 conv; 1 conv, 2 norm, 3 relu, 4 conv, 5 norm, 6 add of 5 and 0, 7 relu; 8 pool, 9 linear, 10
  // loss
  const Lowered lowered(
      "conv channels=3 kernel=3 pad=1; residual channels=3; avgpool kernel=8; linear outputs=4");
  const std::vector<Link>& links = lowered.links;
  CHECK(outputs(links) == std::vector<std::size_t>{0, 1, 3, 4, 5, 7, 8, 9, 10});
  CHECK(with_relu(links) == std::vector<std::size_t>{3, 7});
  CHECK(links[3].inputs == std::vector<std::size_t>{3});  // what comes after the ReLU
  CHECK(links[5].inputs == std::vector<std::size_t>{5, 0});

  const GradientPlan none{}, first{.wanted = true}, added{.wanted = true, .add = true};
  const auto plans = plan_gradients(links);
  REQUIRE(plans.size() == links.size());
  CHECK(plans[0] == std::vector{none});
  CHECK(plans[1] == std::vector{added});  // to what the addition, which comes later, has left
  CHECK(plans[5] == std::vector{first, first});
  for (const std::size_t i : {2, 3, 4, 6, 7, 8}) CHECK(plans[i] == std::vector{first});
}

TEST_CASE("lowering: a value that is added to itself has two gradients") {
  const Lowered lowered("conv channels=3 kernel=3; add from=conv1 with=conv1; linear outputs=4");
  const GradientPlan first{.wanted = true}, added{.wanted = true, .add = true};
  CHECK(plan_gradients(lowered.links)[1] == std::vector{first, added});
}

TEST_CASE("lowering: a ReLU stays if another layer takes what is before it, or if one is there") {
  CHECK(with_relu(
            Lowered("conv channels=3 kernel=3 name=c; relu; add with=c; linear outputs=4").links)
            .empty());
  CHECK(with_relu(Lowered("relu; linear outputs=4").links).empty());  // of the images
  const Lowered two("conv channels=3 kernel=3; relu; relu; linear outputs=4");
  CHECK(with_relu(two.links) == std::vector<std::size_t>{1});
  CHECK(outputs(two.links) == std::vector<std::size_t>{1, 2, 3, 4});
}

TEST_CASE("lowering: a ReLU disappears in its own layer, wherever it is in the list") {
  const Lowered lowered(
      "conv channels=3 kernel=3 name=a; conv from=images channels=3 kernel=3 name=b; "
      "relu from=a name=r; add from=b with=r; linear outputs=4");
  CHECK(outputs(lowered.links) == std::vector<std::size_t>{2, 1, 3, 4, 5});
  CHECK(with_relu(lowered.links) == std::vector<std::size_t>{2});
}
