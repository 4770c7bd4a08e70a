// The largest curvature of a network's loss, measured.
#pragma once

#include "train/task.h"

namespace easgd {

struct Curvature {
  double largest = 0;  ///< highest eigenvalue of the Hessian
  int iterations = 0;  ///< that it took
  bool settled = false;
};

/// Power iteration at parameters x [P] on Hessian-vector products, each a central difference of two
/// gradients of the mean loss over one batch of config.workers.batch samples (dropout masks fixed).
/// Ends where the estimate changes by less than 0.1 %, or after `most` iterations; where it ends in
/// a negative eigenvalue, a second iteration from there finds the highest.
Curvature measure_curvature(const Config& config, const Data& data, const Network& network,
                            ConstView x, int most = 50);

}  // namespace easgd
