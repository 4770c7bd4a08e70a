#include "nn/bias_keys.h"

#include <fmt/format.h>

#include "base/error.h"

namespace easgd {

void bias_fields(config::Fields& f, double& bias, bool& use_bias) {
  std::optional<bool> is_wanted;
  f.number_or_flag("bias", bias, is_wanted, {-10, 10},
                   "initial bias; false or true in its place is use_bias");
  if (is_wanted) use_bias = *is_wanted;
  f.flag("use_bias", use_bias, "add a bias; one before a batch normalisation is of no use");
  if (is_wanted && use_bias != *is_wanted) {
    throw ConfigError(fmt::format("{}: bias = {} and use_bias = {} contradict each other; give one",
                                  f.location(), *is_wanted, use_bias));
  }
}

}  // namespace easgd
