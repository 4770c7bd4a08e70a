// The local updates that the algorithms here are made of. With an empty reply they are sequential
// SGD and sequential Nesterov momentum; with the pull alpha (x - c) for a reply they are the
// worker's side of EASGD and EAMSGD.
#pragma once

#include <type_traits>

#include "algorithms/algorithm.h"

namespace easgd {

/// x = x - eta g(x) - reply
class SgdRule : public WorkerRule {
 public:
  SgdRule(Backend& backend, ConstView x0);

  ConstView gradient_point() const override { return x_; }
  ConstView letter() const override { return x_; }
  void step(ConstView g, ConstView reply, const Rates& rates) override;
  void restart(ConstView center) override;
  void describe(State& state) override;

 protected:
  Backend& backend_;
  Buffer x_;
};

/// v = delta v - eta g(x + delta v);  x = x + v - reply. The reply never enters v.
class NesterovRule : public WorkerRule {
 public:
  NesterovRule(Backend& backend, ConstView x0);

  ConstView gradient_point() const override { return y_; }
  ConstView letter() const override { return x_; }
  void step(ConstView g, ConstView reply, const Rates& rates) override;
  void restart(ConstView center) override;
  void describe(State& state) override;

 protected:
  Backend& backend_;
  Buffer x_, v_, y_;  // y = x + delta v, kept ready by each step for the next gradient
};

/// A Nesterov worker that goes to where the reply is, its momentum kept:  x = reply.
class MovedNesterovRule final : public NesterovRule {
 public:
  using NesterovRule::NesterovRule;
  void receive(ConstView reply, const Rates& rates) override;
};

/// Steps of SGD from where the reply is, and for a letter u their sum since then:
///   x = reply, u = 0;   every step: d = -eta g(x), x = x + d, u = u + d
class AccumulatingRule final : public WorkerRule {
 public:
  AccumulatingRule(Backend& backend, ConstView x0);

  ConstView gradient_point() const override { return x_; }
  ConstView letter() const override { return u_; }
  void receive(ConstView reply, const Rates&) override { restart(reply); }
  void step(ConstView g, ConstView reply, const Rates& rates) override;
  void restart(ConstView center) override;
  void describe(State& state) override;

 private:
  Backend& backend_;
  Buffer x_, u_;
};

/// The factory that a registration wants. The rule's constructor takes what it needs of this.
template <class Rule>
std::unique_ptr<WorkerRule> make_worker_rule(Backend& backend, const RuleOptions& options,
                                             ConstView x0) {
  if constexpr (std::is_constructible_v<Rule, Backend&, const RuleOptions&, ConstView>) {
    return std::make_unique<Rule>(backend, options, x0);
  } else {
    return std::make_unique<Rule>(backend, x0);
  }
}

}  // namespace easgd
