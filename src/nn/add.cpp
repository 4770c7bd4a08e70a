#include "nn/add.h"

#include "base/error.h"

namespace easgd {

void Add::fields(config::Fields& f) {
  f.text("with", with, "name of the layer whose output is added; \"images\" for the input");
}

Shape Add::output(Shape input) const {
  if (with.empty()) throw ConfigError("needs with = \"<name of an earlier layer>\"");
  return input;
}

namespace {
const auto kRegistered = register_layer<Add>();
}

}  // namespace easgd
