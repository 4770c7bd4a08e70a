// DiLoCo [Douillard et al. 2023]: local steps inside, Nesterov momentum on their mean outside.
//
//   when tau divides t:  d = c - mean of x_i                        (the outer gradient)
//                        v = mu v + d;   c = c - eta_o (d + mu v)    (the master)
//                        x_i = c
//   every step:          Nesterov SGD in each worker, its momentum kept
//
// mu is algorithm.center_momentum, eta_o algorithm.center_learning_rate; their defaults are that
// work's. mu = 0 and eta_o = 1 are local SGD. That work's workers take AdamW steps.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

struct DilocoOptions final : AlgorithmOptions {
  double center_momentum = 0.9;
  double center_learning_rate = 0.7;

  void fields(config::Fields& f) override {
    f.number("center_momentum", center_momentum, {0, 0.99999}, "momentum mu of the center");
    f.number("center_learning_rate", center_learning_rate, {1e-6, 1e3},
             "outer learning rate eta_o of the center");
  }
};

class OuterNesterov final : public CenterRule {
 public:
  OuterNesterov(Backend& backend, const RuleOptions& options, ConstView x0)
      : backend_(backend),
        mu_(float(options.of<DilocoOptions>().center_momentum)),
        rate_(float(options.of<DilocoOptions>().center_learning_rate)),
        v_(backend.allocate(x0.size())),
        mean_(backend.allocate(x0.size())) {}

  void absorb(const Round& round, View center) override {
    mean_of(backend_, round, mean_);
    backend_.run(
        kernels::OuterStep{
            .c = center.data(), .v = v_.data(), .x = mean_.data(), .eta = rate_, .mu = mu_},
        center.size());
    reply_with(backend_, center, round);
  }
  void describe(State& state) override { state.vector("v", v_); }

 private:
  Backend& backend_;
  float mu_, rate_;
  Buffer v_;
  Buffer mean_;  // scratch
};

Algorithm diloco() {
  return {
      .worker = make_worker_rule<MovedNesterovRule>,
      .center = make_center_rule<OuterNesterov>,
      .options = std::make_unique<DilocoOptions>,
      .timing = Timing::before,
      .exchange = Exchange::synchronous,
      .last_letter = true,
      .absorbs_sums = true,
  };
}

const RegisteredAlgorithm kRegistered("diloco", diloco());

}  // namespace
}  // namespace easgd
