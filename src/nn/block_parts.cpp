#include "nn/block_parts.h"

#include <utility>

#include "nn/activation.h"
#include "nn/add.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"

namespace easgd {

BlockParts::BlockParts(const Layer& block, std::string from)
    : block_(block), from_(std::move(from)) {}

std::string BlockParts::append(std::shared_ptr<Layer> part, const std::string& suffix) {
  part->name = block_.name + "." + suffix;
  part->origin = block_.origin;
  if (parts_.empty()) part->from = from_;
  parts_.push_back(std::move(part));
  return parts_.back()->name;
}

std::string BlockParts::convolve(const Convolution& convolution, const std::string& conv,
                                 const std::string& normalisation) {
  auto layer = std::make_shared<Conv2d>();
  layer->channels = convolution.channels;
  layer->kernel = {convolution.kernel, convolution.kernel};
  layer->stride = {convolution.stride, convolution.stride};
  layer->pad = {convolution.kernel / 2, convolution.kernel / 2};
  layer->init = "he";
  layer->use_bias = false;
  append(layer, conv);
  return append(std::make_shared<BatchNorm>(), normalisation);
}

void BlockParts::relu(const std::string& suffix) {
  append(std::make_shared<Relu>(), suffix);
}

std::vector<std::shared_ptr<Layer>> BlockParts::join(Shape input, std::int64_t channels,
                                                     std::int64_t stride,
                                                     const std::string& relu_suffix) {
  auto add = std::make_shared<Add>();
  add->from = parts_.back()->name;
  add->with = from_;
  if (stride != 1 || input.channels != channels) {
    const std::size_t first = parts_.size();
    add->with = convolve({channels, 1, stride}, "downsample.0", "downsample.1");
    parts_[first]->from = from_;
  }
  append(add, "add");
  relu(relu_suffix);
  return std::move(parts_);
}

}  // namespace easgd
