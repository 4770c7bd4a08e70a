// Elastic Averaging SGD [EASGD15], Algorithm 1; synchronous form: equations (5) and (6).
//
//   when tau divides t:  e = alpha (x - c);  c = c + e     (the master; x is the worker's letter)
//   every step:          x = x - eta g(x) - e              (the worker; e = 0 between exchanges)
//
// Force and gradient are both taken at the x of before the exchange, so the exchange hides behind
// the gradient. Every number e that the center gains, the worker loses.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

Algorithm easgd() {
  return {
      .worker = make_worker_rule<SgdRule>,
      .center = make_center_rule<ElasticCenter>,
      .coupling = Coupling::elastic,
      .absorbs_sums = true,
      .elastic_region = true,
  };
}

const RegisteredAlgorithm kRegistered("easgd", easgd());

}  // namespace
}  // namespace easgd
