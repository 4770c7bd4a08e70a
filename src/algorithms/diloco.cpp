// DiLoCo [Douillard et al. 2023]: local steps inside, Nesterov momentum on their mean outside.
//
//   when tau divides t:  d = c - mean of x_i                        (the outer gradient)
//                        v = mu v + d;   c = c - eta_o (d + mu v)    (the master)
//                        x_i = c
//   every step:          Nesterov SGD in each worker, its momentum kept
//
// mu is algorithm.center_momentum, eta_o algorithm.center_learning_rate; 0.9 and 0.7 as in that
// work where they are not given. mu = 0 and eta_o = 1 are local SGD. That work's workers take AdamW
// steps.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

class OuterNesterov final : public CenterRule {
 public:
  OuterNesterov(Backend& backend, const CenterOptions& options, ConstView x0)
      : backend_(backend),
        mu_(options.momentum),
        rate_(options.learning_rate),
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

 private:
  Backend& backend_;
  float mu_, rate_;
  Buffer v_, mean_;
};

const Registered<Algorithm> kRegistered("diloco", {
                                                      .worker = make_worker_rule<MovedNesterovRule>,
                                                      .center = make_center_rule<OuterNesterov>,
                                                      .timing = Timing::before,
                                                      .exchange = Exchange::synchronous,
                                                      .last_letter = true,
                                                      .absorbs_sums = true,
                                                      .center_momentum = 0.9,
                                                      .center_learning_rate = 0.7,
                                                  });

}  // namespace
}  // namespace easgd
