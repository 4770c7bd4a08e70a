#include "train/loss_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace easgd {
namespace {

constexpr std::uint64_t kFirst = 20, kWindow = 100;

}  // namespace

std::string LossGuard::look(double loss) {
  if (!std::isfinite(loss)) return "a letter, or its training loss, is not finite";
  const double rise = loss - mean_, spread = std::sqrt(variance_);
  if (spike_ > 0 && letters_ >= kFirst && rise > spike_ * spread) {
    return fmt::format("a training loss of {:.4g}, after a mean of {:.4g} with a spread of {:.4g}",
                       loss, mean_, spread);
  }
  const double share = 1 / double(std::min(++letters_, kWindow));
  mean_ += share * rise;
  variance_ = (1 - share) * (variance_ + share * rise * rise);
  return "";
}

void LossGuard::describe(State& state) {
  state.number("mean", mean_);
  state.number("variance", variance_);
  state.counter("letters", letters_);
}

}  // namespace easgd
