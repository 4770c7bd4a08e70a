#include "nn/conv2d.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/limits.h"
#include "nn/bias_keys.h"
#include "nn/initial.h"

namespace easgd {

void Conv2d::fields(config::Fields& f) {
  f.synonym("out_channels", "channels");  // as in PyTorch
  f.synonym("kernel_size", "kernel");
  f.synonym("padding", "pad");
  f.integer("channels", channels, {1, kMostChannels}, "output channels");
  f.sides("kernel", kernel, {1, 64}, "sides of the kernel, in pixels");
  f.sides("stride", stride, {1, 64}, "step of the kernel, in pixels");
  f.sides("pad", pad, {0, 63}, "zeros added on each side, in pixels");
  f.integer("groups", groups, {1, kMostChannels},
            "groups of channels that see their own alone; as many as channels: depthwise");
  f.choice("init", init, initial_names(), "distribution of the initial weights");
  bias_fields(f, bias, use_bias);
}

bool Conv2d::is_plain() const {
  return groups == 1 && kernel.is_square() && stride.is_square() && pad.is_square();
}

Shape Conv2d::output(Shape input) const {
  if (pad.height >= kernel.height || pad.width >= kernel.width) {
    throw ConfigError(
        fmt::format("pad {} must be smaller than kernel {}", to_string(pad), to_string(kernel)));
  }
  if (input.height + 2 * pad.height < kernel.height || input.width + 2 * pad.width < kernel.width) {
    throw ConfigError(fmt::format("a {} kernel does not fit an input of {}x{} with pad {}",
                                  to_string(kernel), input.height, input.width, to_string(pad)));
  }
  if (input.channels % groups != 0 || channels % groups != 0) {
    throw ConfigError(
        fmt::format("groups {} must divide the channels of its input, {}, and its own, {}", groups,
                    input.channels, channels));
  }
  return {int(channels), int((input.height + 2 * pad.height - kernel.height) / stride.height + 1),
          int((input.width + 2 * pad.width - kernel.width) / stride.width + 1)};
}

std::vector<Parameter> Conv2d::parameters(Shape input) const {
  const std::int64_t inputs = input.channels / groups;
  std::vector<Parameter> all = {{"weight",
                                 {channels, inputs, kernel.height, kernel.width},
                                 initial_weight(init, double(inputs * kernel.area()))}};
  if (use_bias) all.push_back({"bias", {channels}, {0, bias}});
  return all;
}

double Conv2d::forward_flops(Shape input) const {
  return 2.0 * double(output(input).size()) * double(input.channels / groups * kernel.area());
}

namespace {
const auto kRegistered = register_layer<Conv2d>();
}

}  // namespace easgd
