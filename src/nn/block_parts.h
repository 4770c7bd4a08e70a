// What the blocks of ResNets are made of: convolutions with batch normalisation, and a shortcut.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/layer.h"

namespace easgd {

/// The parts of a block, named "<block>.<suffix>", in their order.
class BlockParts {
 public:
  /// `from`: the name of what feeds the block.
  BlockParts(const Layer& block, std::string from);

  /// A convolution without bias whose output has the side of its input over `stride`, and the
  /// normalisation of its output. Returns the name of the latter.
  struct Convolution {
    std::int64_t channels, kernel, stride;
  };
  std::string convolve(const Convolution& convolution, const std::string& conv,
                       const std::string& normalisation);
  void relu(const std::string& suffix);
  /// relu(output so far + shortcut(x)): of an input of `input` that is x itself if nothing changes
  /// its shape, else a 1x1 convolution ("downsample.0", "downsample.1").
  /// Source: [He16], shortcuts of type B.
  std::vector<std::shared_ptr<Layer>> join(Shape input, std::int64_t channels, std::int64_t stride,
                                           const std::string& relu_suffix);

 private:
  std::string append(std::shared_ptr<Layer> part, const std::string& suffix);

  const Layer& block_;
  const std::string from_;
  std::vector<std::shared_ptr<Layer>> parts_;
};

}  // namespace easgd
