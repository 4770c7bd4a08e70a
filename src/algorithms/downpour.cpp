// DOWNPOUR [Dean et al. 2012; EASGD15, Algorithm 3], and the two averages of its center that the
// paper compares with: ADOWNPOUR and MVADOWNPOUR.
//
//   when tau divides t:  c = c + u;  x = c;  u = 0         (u is the worker's letter, c the reply)
//   every step:          d = -eta g(x);  x = x + d;  u = u + d
//   averages:            z = (1 - a) z + a c               (evaluated in place of c)
//                        a = 1 / (t + 1) at the center's t-th change, or alpha
//
// The gradient is taken where the reply has led to, so an exchange cannot hide behind it. Sums are
// not divided by the number of workers. A last letter brings what is left in u.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm downpour() {
  return {
      .worker = make_worker_rule<AccumulatingRule>,
      .center = make_center_rule<AddingCenter>,
      .timing = Timing::before,
      .last_letter = true,
      .sends_change = true,
      .absorbs_sums = true,
  };
}

Algorithm averaged(Average kind) {
  Algorithm algorithm = downpour();
  algorithm.center = [kind](Backend& backend, const RuleOptions&, ConstView x0) {
    return std::make_unique<AveragedAddingCenter>(backend, x0, kind);
  };
  algorithm.coupling = coupling_of(kind);
  return algorithm;
}

const RegisteredAlgorithm kDownpour("downpour", downpour());
const RegisteredAlgorithm kAveraged("adownpour", averaged(Average::mean));
const RegisteredAlgorithm kMoving("mvadownpour", averaged(Average::moving));

}  // namespace
}  // namespace easgd
