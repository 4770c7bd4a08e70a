// Synchronous model averaging [Koliousis et al. 2019, "Crossbow"]: synchronous elastic averaging
// with momentum mu (algorithm.center_momentum) on the center.
//
//   when tau divides t:  e_i = alpha (x_i - c);   c = c + sum of e_i + mu (c - c_before)
//   every step:          x_i = x_i - eta g(x_i) - e_i       (with momentum: x_i + v_i - e_i)
//
// mu = 0 is synchronous EAMSGD. The default is 0.3; that work, whose workers have no
// momentum of their own, has 0.9.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

struct SmaOptions final : AlgorithmOptions {
  double center_momentum = 0.3;

  void fields(config::Fields& f) override {
    f.number("center_momentum", center_momentum, {0, 0.99999}, "momentum mu of the center");
  }
};

class SmaCenter final : public ElasticCenter {
 public:
  SmaCenter(Backend& backend, const RuleOptions& options, ConstView x0)
      : ElasticCenter(backend),
        mu_(float(options.of<SmaOptions>().center_momentum)),
        before_(backend.allocate(x0.size())),
        motion_(backend.allocate(x0.size())) {}

  void absorb(const Round& round, View center) override {
    backend_.run(kernels::Copy{before_.data(), center.data()}, center.size());
    ElasticCenter::absorb(round, center);
    backend_.run(
        kernels::KeepMoving{
            .c = center.data(), .m = motion_.data(), .start = before_.data(), .mu = mu_},
        center.size());
  }
  void describe(State& state) override { state.vector("motion", motion_); }

 private:
  float mu_;
  Buffer before_;  // scratch: the center of before this round
  Buffer motion_;  // its last change
};

Algorithm sma() {
  return {
      .worker = make_worker_rule<NesterovRule>,
      .center = make_center_rule<SmaCenter>,
      .options = std::make_unique<SmaOptions>,
      .coupling = Coupling::elastic,
      .exchange = Exchange::synchronous,
      .absorbs_sums = true,
  };
}

const RegisteredAlgorithm kRegistered("sma", sma());

}  // namespace
}  // namespace easgd
