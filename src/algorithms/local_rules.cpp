#include "algorithms/local_rules.h"

namespace easgd {

SgdRule::SgdRule(Backend& backend, ConstView x0)
    : backend_(backend), x_(backend.allocate(x0.size())) {
  backend_.upload(x0, x_);
}

void SgdRule::step(ConstView g, ConstView reply, const Rates& rates) {
  backend_.run(kernels::SgdStep{.x = x_.data(),
                                .g = g.data(),
                                .e = reply.data(),
                                .eta = rates.learning_rate,
                                .decay = rates.weight_decay},
               x_.size());
}

void SgdRule::restart(ConstView center) {
  backend_.run(
      kernels::Restart{
          .x = x_.data(), .zeroed = nullptr, .y = nullptr, .z = nullptr, .c = center.data()},
      x_.size());
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
  backend_.run(kernels::NesterovStep{.x = x_.data(),
                                     .v = v_.data(),
                                     .y = y_.data(),
                                     .g = g.data(),
                                     .e = reply.data(),
                                     .eta = rates.learning_rate,
                                     .delta = rates.momentum,
                                     .decay = rates.weight_decay},
               x_.size());
}

void NesterovRule::restart(ConstView center) {
  backend_.run(
      kernels::Restart{
          .x = x_.data(), .zeroed = v_.data(), .y = y_.data(), .z = nullptr, .c = center.data()},
      x_.size());
}

void NesterovRule::describe(State& state) {
  state.vector("x", x_);
  state.vector("v", v_);
  state.vector("y", y_);
}

void MovedNesterovRule::receive(ConstView reply, const Rates& rates) {
  backend_.run(kernels::MoveToCenter{.x = x_.data(),
                                     .v = v_.data(),
                                     .y = y_.data(),
                                     .c = reply.data(),
                                     .delta = rates.momentum},
               x_.size());
}

AccumulatingRule::AccumulatingRule(Backend& backend, ConstView x0)
    : backend_(backend), x_(backend.allocate(x0.size())), u_(backend.allocate(x0.size())) {
  backend_.upload(x0, x_);
}

void AccumulatingRule::step(ConstView g, ConstView, const Rates& rates) {
  backend_.run(kernels::AccumulatedStep{.x = x_.data(),
                                        .u = u_.data(),
                                        .g = g.data(),
                                        .eta = rates.learning_rate,
                                        .decay = rates.weight_decay},
               x_.size());
}

void AccumulatingRule::restart(ConstView center) {
  backend_.run(
      kernels::Restart{
          .x = x_.data(), .zeroed = u_.data(), .y = nullptr, .z = nullptr, .c = center.data()},
      x_.size());
}

void AccumulatingRule::describe(State& state) {
  state.vector("x", x_);
  state.vector("u", u_);
}

}  // namespace easgd
