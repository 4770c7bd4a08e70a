#include "nn/bottleneck.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/limits.h"
#include "nn/block_parts.h"

namespace easgd {
namespace {

constexpr std::int64_t kExpansion = 4;

}  // namespace

void Bottleneck::fields(config::Fields& f) {
  f.integer("channels", channels, {1, kMostChannels}, "output channels, four times those inside");
  f.integer("stride", stride, {1, 64}, "of the 3x3 convolution and the shortcut, in pixels");
}

std::vector<std::shared_ptr<Layer>> Bottleneck::parts(Shape input, const std::string& from) const {
  if (channels % kExpansion != 0) {
    throw ConfigError(
        fmt::format("channels must be a multiple of {}; found {}", kExpansion, channels));
  }
  BlockParts parts(*this, from);
  parts.convolve({channels / kExpansion, 1, 1}, "conv1", "bn1");
  parts.relu("relu1");
  parts.convolve({channels / kExpansion, 3, stride}, "conv2", "bn2");
  parts.relu("relu2");
  parts.convolve({channels, 1, 1}, "conv3", "bn3");
  return parts.join(input, channels, stride, "relu3");
}

namespace {
const auto kRegistered = register_layer<Bottleneck>();
}

}  // namespace easgd
