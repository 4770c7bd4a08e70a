// ADMM, linearised and with rescaled multipliers [EASGD15, section 4, equations (9)-(11)].
//
//   lambda = lambda - (x - c)                                    (the worker, c as it was pulled)
//   x = (x - eta g(x) + eta rho (lambda + c)) / (1 + eta rho)
//   c = (1 / p) sum of (x_i - lambda_i)                          (the master)
//
// The letter is the change of x - lambda. In round_robin order a worker pulls, steps and pushes
// before the next one's turn: the paper's cycle. It exists to be compared: EASGD is stable where
// this is not.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

class AdmmRule final : public WorkerRule {
 public:
  AdmmRule(Backend& backend, ConstView x0)
      : backend_(backend),
        x_(backend.allocate(x0.size())),
        lambda_(backend.allocate(x0.size())),
        u_(backend.allocate(x0.size())),
        sent_(backend.allocate(x0.size())) {
    backend_.upload(x0, x_);
    backend_.upload(x0, sent_);
  }

  ConstView gradient_point() const override { return x_; }
  ConstView letter() const override { return u_; }

  void receive(ConstView, const Rates&) override {
    if (pushed_) backend_.run(kernels::Add{sent_.data(), u_.data()}, x_.size());
    pushed_ = false;
  }

  void step(ConstView g, ConstView reply, const Rates& rates) override {
    backend_.run(kernels::AdmmStep{.x = x_.data(),
                                   .lambda = lambda_.data(),
                                   .u = u_.data(),
                                   .s = sent_.data(),
                                   .g = g.data(),
                                   .c = reply.data(),
                                   .eta = rates.learning_rate,
                                   .alpha = rates.learning_rate * rates.rho,
                                   .decay = rates.weight_decay},
                 x_.size());
    pushed_ = true;
  }

  void restart(ConstView center) override {
    backend_.run(kernels::Restart{.x = x_.data(),
                                  .zeroed = lambda_.data(),
                                  .y = nullptr,
                                  .z = nullptr,
                                  .c = center.data()},
                 x_.size());
    pushed_ = false;  // the master has refused u: what it has is still in sent_
  }

  void describe(State& state) override {
    state.vector("x", x_);
    state.vector("lambda", lambda_);
    state.vector("u", u_);
    state.vector("sent", sent_);
    state.flag("pushed", pushed_);
  }

 private:
  Backend& backend_;
  Buffer x_, lambda_, u_;
  Buffer sent_;          // what the master has of x - lambda
  bool pushed_ = false;  // u is on its way
};

Algorithm admm() {
  return {
      .worker = make_worker_rule<AdmmRule>,
      .center =
          [](Backend& backend, const RuleOptions& options, ConstView) {
            return std::make_unique<AddingCenter>(backend, float(options.workers));
          },
      .timing = Timing::around,
      .coupling = Coupling::elastic,
      .every_step = true,
      .sends_change = true,
      .begins_again = false,  // the center has its x - lambda, and it alone knows which
      .fixed_rho = true,
  };
}

const RegisteredAlgorithm kRegistered("admm", admm());

}  // namespace
}  // namespace easgd
