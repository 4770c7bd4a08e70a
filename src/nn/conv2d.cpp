#include "nn/conv2d.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/limits.h"
#include "nn/initial.h"

namespace easgd {

void Conv2d::fields(config::Fields& f) {
  f.integer("channels", channels, {1, kMostChannels}, "output channels");
  f.integer("kernel", kernel, {1, 64}, "side of the square kernel, in pixels");
  f.integer("stride", stride, {1, 64}, "step of the kernel, in pixels");
  f.integer("pad", pad, {0, 63}, "zeros added on each side, in pixels");
  f.choice("init", init, initial_names(), "distribution of the initial weights");
  f.number("bias", bias, {-10, 10}, "initial bias");
  f.flag("use_bias", use_bias, "add a bias; one before a batch normalisation is of no use");
}

Shape Conv2d::output(Shape input) const {
  if (pad >= kernel) {
    throw ConfigError(fmt::format("pad {} must be smaller than kernel {}", pad, kernel));
  }
  if (input.height + 2 * pad < kernel || input.width + 2 * pad < kernel) {
    throw ConfigError(fmt::format("a {0}x{0} kernel does not fit an input of {1}x{2} with pad {3}",
                                  kernel, input.height, input.width, pad));
  }
  return {int(channels), int((input.height + 2 * pad - kernel) / stride + 1),
          int((input.width + 2 * pad - kernel) / stride + 1)};
}

std::vector<Parameter> Conv2d::parameters(Shape input) const {
  const auto fan_in = double(input.channels * kernel * kernel);
  std::vector<Parameter> all = {
      {"weight", {channels, input.channels, kernel, kernel}, initial_weight(init, fan_in)}};
  if (use_bias) all.push_back({"bias", {channels}, {0, bias}});
  return all;
}

double Conv2d::forward_flops(Shape input) const {
  return 2.0 * double(output(input).size()) * double(input.channels * kernel * kernel);
}

namespace {
const auto kRegistered = register_layer<Conv2d>();
}

}  // namespace easgd
