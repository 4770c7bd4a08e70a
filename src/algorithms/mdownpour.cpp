// MDOWNPOUR [EASGD15, Algorithms 4 and 5]: Nesterov momentum on the master, tau = 1.
//
//   worker:  pulls y;  pushes u = -eta g(y)
//   master:  v = delta v + u;  c = c + v;  y = c + delta v
//
// The exact recursion of Nesterov's y, so that one worker is MSGD. What is evaluated is c, as
// there.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm mdownpour() {
  return {
      .worker = make_worker_rule<AccumulatingRule>,
      .center = [](Backend& backend, const RuleOptions&,
                   ConstView x0) { return std::make_unique<MomentumCenter>(backend, x0, false); },
      .timing = Timing::around,
      .every_step = true,
      .sends_change = true,
  };
}

const RegisteredAlgorithm kRegistered("mdownpour", mdownpour());

}  // namespace
}  // namespace easgd
