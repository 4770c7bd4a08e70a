// Synchronous SGD: the gradients of all workers are averaged in every step; with momentum it is
// Nesterov's [Sutskever et al. 2013]. As in [Chen et al. 2016], without their backup workers.
//
//   u = mean of -eta g_i(y);   v = delta v + u;   x = x + v;   y = x + delta v
//
// p workers with batch b are one worker with batch p b. The one x is the center.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm allreduce() {
  return {
      .worker = make_worker_rule<AccumulatingRule>,
      .center = [](Backend& backend, const RuleOptions&,
                   ConstView x0) { return std::make_unique<MomentumCenter>(backend, x0, true); },
      .timing = Timing::around,
      .exchange = Exchange::synchronous,
      .every_step = true,
      .sends_change = true,
      .absorbs_sums = true,
  };
}

const RegisteredAlgorithm kRegistered("allreduce", allreduce());

}  // namespace
}  // namespace easgd
