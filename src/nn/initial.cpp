#include "nn/initial.h"

#include <cmath>

namespace easgd {
namespace {

/// Variance times fan_in.
double gain(const std::string& name) {
  if (name == "he") return 2;
  if (name == "lecun") return 1;
  if (name == "pytorch") return 1.0 / 3;
  return 0;
}

}  // namespace

std::vector<std::string> initial_names() {
  return {"he", "lecun", "pytorch", "zero"};
}

Initial initial_weight(const std::string& name, double fan_in) {
  return {std::sqrt(3 * gain(name) / fan_in), 0};
}

}  // namespace easgd
