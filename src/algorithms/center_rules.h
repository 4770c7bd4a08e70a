// What the master does with letters, in more than one algorithm.
#pragma once

#include <type_traits>

#include "algorithms/algorithm.h"
#include "algorithms/running_average.h"

namespace easgd {

/// reply = alpha (x - c);  c = c + reply. What the center gains is what the worker loses.
class ElasticCenter : public CenterRule {
 public:
  explicit ElasticCenter(Backend& backend) : backend_(backend) {}
  void absorb(const Round& round, View center) override;
  /// The reply.
  ConstView summand(const Letter& letter, ConstView center) override;

 protected:
  Backend& backend_;

 private:
  Buffer start_;  // scratch: the center of before a round of more than one letter
};

/// c = x: a single worker's variable, published to be evaluated. No reply.
class PublishedCenter final : public CenterRule {
 public:
  explicit PublishedCenter(Backend& backend) : backend_(backend) {}
  void absorb(const Round& round, View center) override;

 private:
  Backend& backend_;
};

/// c = c + u / parts for every letter u of a round; reply = c.
class AddingCenter : public CenterRule {
 public:
  explicit AddingCenter(Backend& backend, float parts = 1) : backend_(backend), parts_(parts) {}
  void absorb(const Round& round, View center) override;

 protected:
  Backend& backend_;

 private:
  float parts_;
};

/// The same, and keeps the average z of the center, which is evaluated:
///   z = (1 - a) z + a c, with the c of before each change;  z_0 = c_0.
class AveragedAddingCenter final : public AddingCenter {
 public:
  AveragedAddingCenter(Backend& backend, ConstView x0, Average kind);

  void absorb(const Round& round, View center) override;
  ConstView evaluation_vector(ConstView) const override { return z_; }
  void describe(State& state) override;

 private:
  AverageWeight weight_;
  Buffer z_;
};

/// Nesterov momentum on the center, with the steps u = -eta g that the letters carry:
///   v = delta v + u;   c = c + v;   workers pull y = c + delta v
/// `mean`: u is the mean of a round's letters; else each letter of it is a step.
class MomentumCenter final : public CenterRule {
 public:
  MomentumCenter(Backend& backend, ConstView x0, bool mean);
  void absorb(const Round& round, View center) override;
  ConstView vector_to_pull(ConstView) const override { return y_; }
  void describe(State& state) override;

 private:
  void step(ConstView u, float delta, View center);

  Backend& backend_;
  bool mean_;
  Buffer v_, y_;
  Buffer sum_;  // scratch
};

/// The factory that a registration wants. The rule's constructor takes what it needs of this.
template <class Rule>
std::unique_ptr<CenterRule> make_center_rule(Backend& backend, const RuleOptions& options,
                                             ConstView x0) {
  if constexpr (std::is_constructible_v<Rule, Backend&, const RuleOptions&, ConstView>) {
    return std::make_unique<Rule>(backend, options, x0);
  } else {
    return std::make_unique<Rule>(backend);
  }
}

/// Every reply of a round = the center.
void reply_with(Backend& backend, ConstView center, const Round& round);

/// target = the mean of the letters of a round, in their order.
void mean_of(Backend& backend, const Round& round, View target);

}  // namespace easgd
