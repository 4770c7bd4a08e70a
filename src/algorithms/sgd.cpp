// Sequential SGD, the paper's first comparator: x = x - eta g(x), one worker.
//
// Every tau steps, and at the end, x is published as the center, to be evaluated and saved.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm sgd() {
  return {
      .worker = make_worker_rule<SgdRule>,
      .center = make_center_rule<PublishedCenter>,
      .replies = false,
      .single = true,
      .last_letter = true,
  };
}

const RegisteredAlgorithm kRegistered("sgd", sgd());

}  // namespace
}  // namespace easgd
