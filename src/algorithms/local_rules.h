// The two local updates that every algorithm here builds on. With an empty reply they are
// sequential SGD and sequential Nesterov momentum; with a reply they are the worker's side of EASGD
// and EAMSGD.
#pragma once

#include "algorithms/algorithm.h"

namespace easgd {

/// x = x - eta g(x) - reply
class SgdRule final : public WorkerRule {
 public:
  SgdRule(Backend& backend, ConstView x0);

  ConstView gradient_point() const override { return x_; }
  ConstView letter() const override { return x_; }
  void step(ConstView g, ConstView reply, const Rates& rates) override;
  void restart(ConstView center) override;

 private:
  Backend& backend_;
  Buffer x_;
};

/// v = delta v - eta g(x + delta v);  x = x + v - reply. The reply never enters v.
class NesterovRule final : public WorkerRule {
 public:
  NesterovRule(Backend& backend, ConstView x0);

  ConstView gradient_point() const override { return y_; }
  ConstView letter() const override { return x_; }
  void step(ConstView g, ConstView reply, const Rates& rates) override;
  void restart(ConstView center) override;

 private:
  Backend& backend_;
  Buffer x_, v_, y_;  // y = x + delta v, kept ready by each step for the next gradient
};

}  // namespace easgd
