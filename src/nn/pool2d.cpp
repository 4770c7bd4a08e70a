#include "nn/pool2d.h"

#include <fmt/format.h>

#include "base/error.h"

namespace easgd {

void Pool2d::fields(config::Fields& f) {
  f.integer("kernel", kernel, {1, 64}, "side of the square window, in pixels");
  f.integer("stride", stride, {1, 64}, "step of the window, in pixels");
}

Shape Pool2d::output(Shape input) const {
  if (input.height < kernel || input.width < kernel) {
    throw ConfigError(fmt::format("a {0}x{0} window does not fit an input of {1}x{2}", kernel,
                                  input.height, input.width));
  }
  return {input.channels, int((input.height - kernel) / stride + 1),
          int((input.width - kernel) / stride + 1)};
}

double Pool2d::forward_flops(Shape input) const {
  return double(output(input).size()) * double(kernel * kernel);
}

namespace {
const auto kMaxRegistered = register_layer<MaxPool2d>();
const auto kAvgRegistered = register_layer<AvgPool2d>();
}  // namespace

}  // namespace easgd
