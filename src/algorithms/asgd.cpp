// Averaged SGD, the paper's ASGD and MVASGD: one worker, whose average z is published.
//
//   z = (1 - a) z + a x;   x = x - eta g(x);   z_0 = x_0
//
// asgd: a = 1 / (t + 1), so that z is the mean of x_0 ... x_t [Polyak and Juditsky 1992].
// mvasgd: a = alpha, constant.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"
#include "algorithms/running_average.h"

namespace easgd {
namespace {

class AveragedSgdRule final : public SgdRule {
 public:
  AveragedSgdRule(Backend& backend, ConstView x0, Average kind)
      : SgdRule(backend, x0), weight_(kind), z_(backend.allocate(x0.size())) {
    backend_.upload(x0, z_);
  }

  ConstView letter() const override { return z_; }

  void step(ConstView g, ConstView reply, const Rates& rates) override {
    backend_.run(kernels::Average{.z = z_.data(), .x = x_.data(), .a = weight_.next(rates)},
                 x_.size());
    SgdRule::step(g, reply, rates);
  }

  void restart(ConstView center) override {
    backend_.run(
        kernels::Restart{
            .x = x_.data(), .zeroed = nullptr, .y = nullptr, .z = z_.data(), .c = center.data()},
        x_.size());
    weight_.restart();
  }

  void describe(State& state) override {
    SgdRule::describe(state);
    state.vector("z", z_);
    weight_.describe(state);
  }

 private:
  AverageWeight weight_;
  Buffer z_;
};

Algorithm averaged(Average kind) {
  return {
      .worker = [kind](
                    Backend& backend, const RuleOptions&,
                    ConstView x0) { return std::make_unique<AveragedSgdRule>(backend, x0, kind); },
      .center = make_center_rule<PublishedCenter>,
      .coupling = coupling_of(kind),
      .replies = false,
      .single = true,
      .last_letter = true,
  };
}

const RegisteredAlgorithm kMean("asgd", averaged(Average::mean));
const RegisteredAlgorithm kMoving("mvasgd", averaged(Average::moving));

}  // namespace
}  // namespace easgd
