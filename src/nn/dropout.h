#pragma once

#include "nn/layer.h"

namespace easgd {

/// Zeroes each activation with probability `rate` in training and scales the others by 1/(1-rate);
/// the identity in evaluation. Element i of sample n in step t of worker w is kept if
/// Random{seed, Stream::dropout, w}.at(t, index) says so: see backend/cpu/dropout.cpp.
struct Dropout final : Layer {
  double rate = 0.5;

  std::string kind() const override { return "dropout"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override { return input; }
};

}  // namespace easgd
