// The largest curvature of a network's loss, measured.
#pragma once

#include "evaluate/run_inputs.h"

namespace easgd {

struct Curvature {
  double largest = 0;    ///< highest eigenvalue of the Hessian
  int iterations = 0;    ///< that it took
  bool settled = false;  ///< if not, `largest` is a lower bound
};

/// Power iteration at parameters x [P] on Hessian-vector products, each a central difference of two
/// gradients of the mean loss over one batch of config.workers.batch samples (dropout masks fixed).
/// Settles where H v is lambda v but for 1 % of |lambda|, or ends after `most` products. Where it
/// has not settled, or on a negative eigenvalue, which is then the farthest from 0, a second
/// iteration with H + |H| I finds the highest. What has not settled is a lower bound: the curvature
/// along v. So it is where relu or maxpool bend the loss between the two gradients.
Curvature measure_curvature(const Config& config, const Data& data, const Network& network,
                            ConstView x, int most = 50);

}  // namespace easgd
