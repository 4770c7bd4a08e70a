#include "nn/residual.h"

#include "base/limits.h"
#include "nn/activation.h"
#include "nn/add.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"

namespace easgd {
namespace {

std::shared_ptr<Conv2d> make_conv(std::int64_t channels, std::int64_t kernel, std::int64_t stride) {
  auto conv = std::make_shared<Conv2d>();
  conv->channels = channels;
  conv->kernel = kernel;
  conv->stride = stride;
  conv->pad = kernel / 2;
  conv->init = "he";
  conv->use_bias = false;
  return conv;
}

}  // namespace

void Residual::fields(config::Fields& f) {
  f.integer("channels", channels, {1, kMostChannels}, "output channels");
  f.integer("stride", stride, {1, 64}, "of the first convolution and the shortcut, in pixels");
}

std::vector<std::shared_ptr<Layer>> Residual::parts(Shape input, const std::string& from) const {
  std::vector<std::shared_ptr<Layer>> all;
  const auto append = [&](std::shared_ptr<Layer> part, const char* suffix) {
    part->name = name + "." + suffix;
    part->origin = origin;
    all.push_back(std::move(part));
    return all.back()->name;
  };
  append(make_conv(channels, 3, stride), "conv1");
  all.back()->from = from;
  append(std::make_shared<BatchNorm>(), "bn1");
  append(std::make_shared<Relu>(), "relu1");
  append(make_conv(channels, 3, 1), "conv2");
  const std::string residual = append(std::make_shared<BatchNorm>(), "bn2");
  std::string shortcut = from;
  if (stride != 1 || input.channels != channels) {
    append(make_conv(channels, 1, stride), "downsample.0");
    all.back()->from = from;
    shortcut = append(std::make_shared<BatchNorm>(), "downsample.1");
  }
  auto add = std::make_shared<Add>();
  add->from = residual;
  add->with = shortcut;
  append(add, "add");
  append(std::make_shared<Relu>(), "relu2");
  return all;
}

namespace {
const auto kRegistered = register_layer<Residual>();
}

}  // namespace easgd
