#include "algorithms/local_rules.h"

namespace easgd {

SgdRule::SgdRule(Backend& backend, ConstView x0)
    : backend_(backend), x_(backend.allocate(x0.size())) {
  backend_.upload(x0, x_);
}

void SgdRule::step(ConstView g, ConstView reply, const Rates& rates) {
  backend_.run(
      kernels::SgdStep{x_.data(), g.data(), reply.data(), rates.learning_rate, rates.weight_decay},
      x_.size());
}

void SgdRule::restart(ConstView center) {
  backend_.run(kernels::Restart{x_.data(), nullptr, nullptr, nullptr, center.data()}, x_.size());
}

void SgdRule::describe(State& state) {
  state.vector("x", x_);
}

NesterovRule::NesterovRule(Backend& backend, ConstView x0)
    : backend_(backend),
      x_(backend.allocate(x0.size())),
      v_(backend.allocate(x0.size())),
      y_(backend.allocate(x0.size())) {
  backend_.upload(x0, x_);
  backend_.upload(x0, y_);
}

void NesterovRule::step(ConstView g, ConstView reply, const Rates& rates) {
  backend_.run(kernels::NesterovStep{x_.data(), v_.data(), y_.data(), g.data(), reply.data(),
                                     rates.learning_rate, rates.momentum, rates.weight_decay},
               x_.size());
}

void NesterovRule::restart(ConstView center) {
  backend_.run(kernels::Restart{x_.data(), v_.data(), y_.data(), nullptr, center.data()},
               x_.size());
}

void NesterovRule::describe(State& state) {
  state.vector("x", x_);
  state.vector("v", v_);
  state.vector("y", y_);
}

void MovedNesterovRule::receive(ConstView reply, const Rates& rates) {
  backend_.run(kernels::Move{x_.data(), v_.data(), y_.data(), reply.data(), rates.momentum},
               x_.size());
}

AccumulatingRule::AccumulatingRule(Backend& backend, ConstView x0)
    : backend_(backend), x_(backend.allocate(x0.size())), u_(backend.allocate(x0.size())) {
  backend_.upload(x0, x_);
}

void AccumulatingRule::step(ConstView g, ConstView, const Rates& rates) {
  backend_.run(kernels::AccumulatedStep{x_.data(), u_.data(), g.data(), rates.learning_rate,
                                        rates.weight_decay},
               x_.size());
}

void AccumulatingRule::restart(ConstView center) {
  backend_.run(kernels::Restart{x_.data(), u_.data(), nullptr, nullptr, center.data()}, x_.size());
}

void AccumulatingRule::describe(State& state) {
  state.vector("x", x_);
  state.vector("u", u_);
}

}  // namespace easgd
