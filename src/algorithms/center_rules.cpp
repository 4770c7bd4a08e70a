#include "algorithms/center_rules.h"

#include <algorithm>

#include "kernels/local_step.h"

namespace easgd {

void ElasticCenter::absorb(std::span<const Letter> round, View center) {
  letters_.clear();
  for (const Letter& letter : round) {
    letters_.push_back({letter.values.data(), letter.reply.data(), letter.rates.alpha});
  }
  kernels::elastic(letters_.data(), letters_.size(), center.data(), center.size());
}

void PublishedCenter::absorb(std::span<const Letter> round, View center) {
  std::ranges::copy(round.back().values, center.begin());
}

void AddingCenter::absorb(std::span<const Letter> round, View center) {
  for (const Letter& letter : round) {
    for (std::size_t i = 0; i < center.size(); ++i) center[i] += letter.values[i] / parts_;
  }
  reply_with(center, round);
}

MomentumCenter::MomentumCenter(ConstView x0, bool mean)
    : mean_(mean),
      v_(host_buffer(x0.size())),
      y_(host_buffer(x0.size())),
      sum_(host_buffer(mean ? x0.size() : 0)) {
  std::ranges::copy(x0, y_.view().begin());
}

void MomentumCenter::absorb(std::span<const Letter> round, View center) {
  if (mean_) {
    mean_of(round, sum_);
    step(sum_, round[0].rates.momentum, center);
  } else {
    for (const Letter& letter : round) step(letter.values, letter.rates.momentum, center);
  }
}

void MomentumCenter::step(ConstView u, float delta, View center) {
  const View v = v_, y = y_;
  for (std::size_t i = 0; i < center.size(); ++i) {
    v[i] = delta * v[i] + u[i];
    center[i] += v[i];
    y[i] = center[i] + delta * v[i];
  }
}

AveragedCenter::AveragedCenter(std::unique_ptr<CenterRule> rule, ConstView x0, Average kind)
    : rule_(std::move(rule)), weight_(kind), z_(host_buffer(x0.size())) {
  std::ranges::copy(x0, z_.view().begin());
}

void AveragedCenter::absorb(std::span<const Letter> round, View center) {
  const kernels::Average average{z_.data(), center.data(), weight_.next(round.back().rates)};
  for (std::size_t i = 0; i < center.size(); ++i) average(i);
  rule_->absorb(round, center);
}

void reply_with(ConstView center, std::span<const Letter> round) {
  for (const Letter& letter : round) std::ranges::copy(center, letter.reply.begin());
}

void mean_of(std::span<const Letter> round, View target) {
  const float part = 1.0f / float(round.size());
  std::ranges::fill(target, 0.0f);
  for (const Letter& letter : round) {
    for (std::size_t i = 0; i < target.size(); ++i) target[i] += part * letter.values[i];
  }
}

}  // namespace easgd
