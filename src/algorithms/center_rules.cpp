#include "algorithms/center_rules.h"

namespace easgd {

void ElasticCenter::absorb(std::span<const Letter> round, View center) {
  const float* start = center.data();
  if (round.size() > 1) {
    if (start_.size() == 0) start_ = backend_.allocate(center.size());
    backend_.run(kernels::Copy{start_.data(), center.data()}, center.size());
    start = start_.data();
  }
  for (const Letter& letter : round) {
    backend_.run(kernels::Absorb{letter.reply.data(), center.data(), letter.values.data(), start,
                                 letter.rates.alpha},
                 center.size());
  }
}

void PublishedCenter::absorb(std::span<const Letter> round, View center) {
  backend_.run(kernels::Copy{center.data(), round.back().values.data()}, center.size());
}

void AddingCenter::absorb(std::span<const Letter> round, View center) {
  for (const Letter& letter : round) {
    backend_.run(kernels::AddPart{center.data(), letter.values.data(), parts_, false},
                 center.size());
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

void MomentumCenter::absorb(std::span<const Letter> round, View center) {
  if (mean_) {
    mean_of(backend_, round, sum_);
    step(sum_, round[0].rates.momentum, center);
  } else {
    for (const Letter& letter : round) step(letter.values, letter.rates.momentum, center);
  }
}

void MomentumCenter::step(ConstView u, float delta, View center) {
  backend_.run(kernels::CenterMomentum{center.data(), v_.data(), y_.data(), u.data(), delta},
               center.size());
}

AveragedAddingCenter::AveragedAddingCenter(Backend& backend, ConstView x0, Average kind)
    : AddingCenter(backend, 1), weight_(kind), z_(backend.allocate(x0.size())) {
  backend_.upload(x0, z_);
}

void AveragedAddingCenter::absorb(std::span<const Letter> round, View center) {
  backend_.run(kernels::Average{z_.data(), center.data(), weight_.next(round.back().rates)},
               center.size());
  AddingCenter::absorb(round, center);
}

void reply_with(Backend& backend, ConstView center, std::span<const Letter> round) {
  for (const Letter& letter : round) {
    backend.run(kernels::Copy{letter.reply.data(), center.data()}, center.size());
  }
}

void mean_of(Backend& backend, std::span<const Letter> round, View target) {
  for (const Letter& letter : round) {
    backend.run(kernels::AddPart{target.data(), letter.values.data(), float(round.size()),
                                 &letter == &round.front()},
                target.size());
  }
}

}  // namespace easgd
