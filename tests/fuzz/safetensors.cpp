// A safetensors file, loaded into a network that has some of its names.
#include "nn/safetensors.h"
#include "network_spec.h"
#include "target.h"

namespace easgd::testing {
namespace {

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  static const Network network =
      make_network({2, 6, 6}, 3, "conv channels=3 kernel=3; batchnorm; relu; linear outputs=3");
  const std::string path = folder.put("a.safetensors", bytes);
  accepts([&path] {
    std::vector<float> state(network.state_count());
    safetensors::load(safetensors::read(path), path, network, state);
    safetensors::not_finite(network, state);
  });
}

const RegisteredTarget kRegistered("safetensors", {read});

}  // namespace
}  // namespace easgd::testing
