// Local SGD [Stich 2019], also called local averaging or parallel SGD:
//
//   when tau divides t:  c = mean of x_i;   x_i = c
//   every step:          Nesterov SGD in each worker, its momentum kept
//
// Post-local SGD [Lin et al. 2020] is tau = 1 until a switch: tau = 1 with, say,
// tau_schedule = {kind = "steps", at = [0.5], factor = 16}.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

class MeanCenter final : public CenterRule {
 public:
  explicit MeanCenter(Backend& backend) : backend_(backend) {}
  void absorb(const Round& round, View center) override {
    mean_of(backend_, round, center);
    reply_with(backend_, center, round);
  }

 private:
  Backend& backend_;
};

Algorithm local_sgd() {
  return {
      .worker = make_worker_rule<MovedNesterovRule>,
      .center = make_center_rule<MeanCenter>,
      .timing = Timing::before,
      .exchange = Exchange::synchronous,
      .last_letter = true,
      .absorbs_sums = true,
  };
}

const RegisteredAlgorithm kRegistered("local_sgd", local_sgd());

}  // namespace
}  // namespace easgd
