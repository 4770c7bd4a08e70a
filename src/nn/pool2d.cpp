#include "nn/pool2d.h"

#include <fmt/format.h>

#include "base/error.h"

namespace easgd {

void Pool2d::fields(config::Fields& f) {
  f.synonym("kernel_size", "kernel");  // as in PyTorch
  f.synonym("padding", "pad");
  f.sides("kernel", kernel, {1, 64}, "sides of the window, in pixels");
  f.sides("stride", stride, {1, 64},
          "step of the window, in pixels: 2 if it is not given, whatever the window");
  f.sides("pad", pad, {0, 32},
          "pixels added on each side, which no maximum is in; at most half "
          "the window");
}

Shape Pool2d::output(Shape input) const {
  if (2 * pad.height > kernel.height || 2 * pad.width > kernel.width) {
    throw ConfigError(fmt::format("pad {} must be at most half the window {}", to_string(pad),
                                  to_string(kernel)));
  }
  if (input.height + 2 * pad.height < kernel.height || input.width + 2 * pad.width < kernel.width) {
    throw ConfigError(fmt::format("a {} window does not fit an input of {}x{} with pad {}",
                                  to_string(kernel), input.height, input.width, to_string(pad)));
  }
  return {input.channels, int((input.height + 2 * pad.height - kernel.height) / stride.height + 1),
          int((input.width + 2 * pad.width - kernel.width) / stride.width + 1)};
}

double Pool2d::forward_flops(Shape input) const {
  return double(output(input).size()) * double(kernel.area());
}

namespace {
const auto kMaxRegistered = register_layer<MaxPool2d>();
const auto kAvgRegistered = register_layer<AvgPool2d>();
}  // namespace

}  // namespace easgd
