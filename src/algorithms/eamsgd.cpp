// Elastic Averaging Momentum SGD [EASGD15], Algorithm 2: EASGD with Nesterov momentum in each
// worker.
//
//   when tau divides t:  e = alpha (x - c);  c = c + e     (the master; x is the worker's letter)
//   every step:          v = delta v - eta g(x + delta v)  (the worker; the force never enters v)
//                        x = x + v - e
//
// delta = 0 is EASGD.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm eamsgd() {
  return {
      .worker = make_worker_rule<NesterovRule>,
      .center = make_center_rule<ElasticCenter>,
      .coupling = Coupling::elastic,
      .absorbs_sums = true,
      .elastic_region = true,
  };
}

const RegisteredAlgorithm kRegistered("eamsgd", eamsgd());

}  // namespace
}  // namespace easgd
