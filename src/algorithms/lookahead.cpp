// Lookahead [Zhang et al. 2019]: slow weights that follow fast ones. One worker in that work; here
// any number, which move the same slow weights one after another.
//
//   when tau divides t:  c = c + alpha (x - c);   x = c
//   every step:          Nesterov SGD, its momentum kept

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

class SlowWeights final : public ElasticCenter {
 public:
  using ElasticCenter::ElasticCenter;
  void absorb(const Round& round, View center) override {
    ElasticCenter::absorb(round, center);
    reply_with(backend_, center, round);
  }
};

Algorithm lookahead() {
  return {
      .worker = make_worker_rule<MovedNesterovRule>,
      .center = make_center_rule<SlowWeights>,
      .timing = Timing::before,
      .coupling = Coupling::alpha,
      .usual_alpha = 0.5,
      .last_letter = true,
  };
}

const RegisteredAlgorithm kRegistered("lookahead", lookahead());

}  // namespace
}  // namespace easgd
