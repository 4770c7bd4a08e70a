// Sequential SGD with Nesterov momentum, the paper's MSGD: one worker,
//
//   v = delta v - eta g(x + delta v);   x = x + v
//
// Every tau steps, and at the end, x is published as the center, to be evaluated and saved.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm msgd() {
  return {
      .worker = make_worker_rule<NesterovRule>,
      .center = make_center_rule<PublishedCenter>,
      .replies = false,
      .single = true,
      .last_letter = true,
  };
}

const RegisteredAlgorithm kRegistered("msgd", msgd());

}  // namespace
}  // namespace easgd
