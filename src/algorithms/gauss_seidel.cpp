// EASGD and EAMSGD in Gauss-Seidel form [Zhang 2016, section 6.2]: the center moves towards where
// the worker is after its step, not before.
//
//   when tau divides t:  c is pulled;  e = alpha (x - c)
//   every step:          x = x - eta g(x) - e        (with momentum: x = x + v - e)
//   after that step:     c = c + alpha (x - c)       (the master; x is the worker's letter)

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

/// A local rule that computes its pull from the center it has pulled.
template <class Rule>
class GaussSeidelRule final : public Rule {
 public:
  GaussSeidelRule(Backend& backend, ConstView x0)
      : Rule(backend, x0), pull_(backend.allocate(x0.size())) {}

  void step(ConstView g, ConstView reply, const Rates& rates) override {
    if (!reply.empty()) {
      this->backend_.run(
          kernels::ElasticPull{
              .e = pull_.data(), .x = this->x_.data(), .c = reply.data(), .alpha = rates.alpha},
          pull_.size());
    }
    Rule::step(g, reply.empty() ? reply : ConstView(pull_), rates);
  }

 private:
  Buffer pull_;  // scratch
};

template <class Rule>
Algorithm gauss_seidel() {
  return {
      .worker = make_worker_rule<GaussSeidelRule<Rule>>,
      .center = make_center_rule<ElasticCenter>,
      .timing = Timing::around,
      .coupling = Coupling::elastic,
      .absorbs_sums = true,
  };
}

const RegisteredAlgorithm kEasgd("easgd_gauss_seidel", gauss_seidel<SgdRule>());
const RegisteredAlgorithm kEamsgd("eamsgd_gauss_seidel", gauss_seidel<NesterovRule>());

}  // namespace
}  // namespace easgd
