// Synchronous model averaging [Koliousis et al. 2019, "Crossbow"]: synchronous elastic averaging
// with momentum mu (algorithm.center_momentum) on the center.
//
//   when tau divides t:  e_i = alpha (x_i - c);   c = c + sum of e_i + mu (c - c_before)
//   every step:          x_i = x_i - eta g(x_i) - e_i       (with momentum: x_i + v_i - e_i)
//
// mu = 0 is synchronous EAMSGD. Where it is not given it is 0.3: beside the workers' own momentum, the
// 0.9 of that work, whose workers have none, is too much.

#include <algorithm>

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

class SmaCenter final : public ElasticCenter {
 public:
  SmaCenter(const CenterOptions& options, ConstView x0)
      : ElasticCenter(options, x0),
        mu_(options.momentum),
        start_(host_buffer(x0.size())),
        motion_(host_buffer(x0.size())) {}

  void absorb(std::span<const Letter> round, View center) override {
    const View start = start_, motion = motion_;
    std::ranges::copy(center, start.begin());
    ElasticCenter::absorb(round, center);
    for (std::size_t i = 0; i < center.size(); ++i) {
      center[i] += mu_ * motion[i];
      motion[i] = center[i] - start[i];
    }
  }

 private:
  float mu_;
  Buffer start_, motion_;  // the center of before this round; its last change
};

const Registered<Algorithm> kRegistered("sma", {
                                                   .worker = make_worker_rule<NesterovRule>,
                                                   .center = make_center_rule<SmaCenter>,
                                                   .coupling = Coupling::elastic,
                                                   .exchange = Exchange::synchronous,
                                                   .center_momentum = 0.3,
                                               });

}  // namespace
}  // namespace easgd
