#include "nn/residual.h"

#include "base/limits.h"
#include "nn/block_parts.h"

namespace easgd {

void Residual::fields(config::Fields& f) {
  f.integer("channels", channels, {1, kMostChannels}, "output channels");
  f.integer("stride", stride, {1, 64}, "of the first convolution and the shortcut, in pixels");
}

std::vector<std::shared_ptr<Layer>> Residual::parts(Shape input, const std::string& from) const {
  BlockParts parts(*this, from);
  parts.convolve({channels, 3, stride}, "conv1", "bn1");
  parts.relu("relu1");
  parts.convolve({channels, 3, 1}, "conv2", "bn2");
  return parts.join(input, channels, stride, "relu2");
}

namespace {
const auto kRegistered = register_layer<Residual>();
}

}  // namespace easgd
