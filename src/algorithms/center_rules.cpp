#include "algorithms/center_rules.h"

namespace easgd {

void ElasticCenter::absorb(const Round& round, View center) {
  if (!round.sum.empty()) {  // of pulls, which the replies hold
    return backend_.run(
        kernels::AddPart{.sum = center.data(), .x = round.sum.data(), .parts = 1, .first = false},
        center.size());
  }
  const float* start = center.data();
  if (round.size > 1) {
    if (start_.size() == 0) start_ = backend_.allocate(center.size());
    backend_.run(kernels::Copy{start_.data(), center.data()}, center.size());
    start = start_.data();
  }
  for (const Letter& letter : round.letters) {
    backend_.run(kernels::Absorb{.e = letter.reply.data(),
                                 .c = center.data(),
                                 .x = letter.values.data(),
                                 .start = start,
                                 .alpha = letter.rates.alpha},
                 center.size());
  }
}

ConstView ElasticCenter::summand(const Letter& letter, ConstView center) {
  backend_.run(kernels::ElasticPull{.e = letter.reply.data(),
                                    .x = letter.values.data(),
                                    .c = center.data(),
                                    .alpha = letter.rates.alpha},
               center.size());
  return letter.reply;
}

void PublishedCenter::absorb(const Round& round, View center) {
  backend_.run(kernels::Copy{center.data(), round.letters.back().values.data()}, center.size());
}

void AddingCenter::absorb(const Round& round, View center) {
  const auto add = [&](ConstView u) {
    backend_.run(
        kernels::AddPart{.sum = center.data(), .x = u.data(), .parts = parts_, .first = false},
        center.size());
  };
  if (!round.sum.empty()) {
    add(round.sum);
  } else {
    for (const Letter& letter : round.letters) add(letter.values);
  }
  reply_with(backend_, center, round);
}

MomentumCenter::MomentumCenter(Backend& backend, ConstView x0, bool mean)
    : backend_(backend),
      mean_(mean),
      v_(backend.allocate(x0.size())),
      y_(backend.allocate(x0.size())),
      sum_(backend.allocate(mean ? x0.size() : 0)) {
  backend_.upload(x0, y_);
}

void MomentumCenter::absorb(const Round& round, View center) {
  if (mean_) {
    mean_of(backend_, round, sum_);
    step(sum_, round.rates.momentum, center);
  } else {
    for (const Letter& letter : round.letters) step(letter.values, letter.rates.momentum, center);
  }
}

void MomentumCenter::step(ConstView u, float delta, View center) {
  backend_.run(
      kernels::CenterMomentum{
          .c = center.data(), .v = v_.data(), .y = y_.data(), .u = u.data(), .delta = delta},
      center.size());
}

void MomentumCenter::describe(State& state) {
  state.vector("v", v_);
  state.vector("y", y_);
}

AveragedAddingCenter::AveragedAddingCenter(Backend& backend, ConstView x0, Average kind)
    : AddingCenter(backend, 1), weight_(kind), z_(backend.allocate(x0.size())) {
  backend_.upload(x0, z_);
}

void AveragedAddingCenter::absorb(const Round& round, View center) {
  backend_.run(kernels::Average{.z = z_.data(), .x = center.data(), .a = weight_.next(round.rates)},
               center.size());
  AddingCenter::absorb(round, center);
}

void AveragedAddingCenter::describe(State& state) {
  state.vector("z", z_);
  weight_.describe(state);
}

void reply_with(Backend& backend, ConstView center, const Round& round) {
  for (const Letter& letter : round.letters) {
    backend.run(kernels::Copy{letter.reply.data(), center.data()}, center.size());
  }
}

void mean_of(Backend& backend, const Round& round, View target) {
  bool first = true;
  const auto add = [&](ConstView x) {
    backend.run(
        kernels::AddPart{
            .sum = target.data(), .x = x.data(), .parts = float(round.size), .first = first},
        target.size());
    first = false;
  };
  if (!round.sum.empty()) return add(round.sum);
  for (const Letter& letter : round.letters) add(letter.values);
}

}  // namespace easgd
