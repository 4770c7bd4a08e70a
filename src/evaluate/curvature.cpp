#include "evaluate/curvature.h"

#include <cmath>
#include <numeric>

#include "backend/backend_kind.h"

namespace easgd {
namespace {

/// Length of a step for a difference, relative to that of the parameters: far above rounding, far
/// below where the loss is no longer quadratic.
constexpr double kRelativeStep = 1e-3;
/// Of the eigenvalue: what H v may have across v.
constexpr double kSettled = 0.01;

double dot(ConstView a, ConstView b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Gradients of one batch at any point.
class BatchGradient {
 public:
  BatchGradient(const Config& config, const Data& data, const Network& network)
      : backend_(make_backend("cpu")),
        model_(backend_->compile(network, {.batch = std::size_t(config.workers.batch),
                                           .training = true,
                                           .seed = std::uint64_t(config.seed)})),
        loader_(*data.split.train, loader_options(config, data)) {}

  void at(ConstView x, View g) { model_->gradient(x, loader_.next(0), g, {}); }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  Loader loader_;
};

/// Products with the Hessian H at x.
class Hessian {
 public:
  Hessian(BatchGradient& gradient, ConstView x)
      : gradient_(gradient),
        x_(x),
        step_(kRelativeStep * std::max(1.0, std::sqrt(dot(x, x)))),
        moved_(host_buffer(x.size())),
        ahead_(host_buffer(x.size())),
        behind_(host_buffer(x.size())) {}

  /// y = H v, for v of length 1.
  void times(ConstView v, View y) {
    for (const auto& [step, g] : {std::pair{step_, ahead_.view()}, {-step_, behind_.view()}}) {
      for (std::size_t i = 0; i < v.size(); ++i) {
        moved_.view()[i] = float(double(x_[i]) + step * double(v[i]));
      }
      gradient_.at(moved_, g);
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
      y[i] = float((double(ahead_.view()[i]) - double(behind_.view()[i])) / (2 * step_));
    }
  }

 private:
  BatchGradient& gradient_;
  ConstView x_;
  const double step_;
  Buffer moved_, ahead_, behind_;
};

/// One power iteration.
struct Pass {
  Curvature found;
  double norm = 0;  ///< |H v|: at most that of H, and near it where v is of its first eigenvectors
};

/// The eigenvalue of H that is farthest from `shift`, by iterating v = (H - shift I) v.
Pass farthest_from(double shift, Hessian& hessian, ConstView start, int most) {
  Buffer direction = host_buffer(start.size()), product = host_buffer(start.size());
  const View v = direction, y = product;
  std::ranges::copy(start, v.begin());
  Pass pass;
  Curvature& found = pass.found;
  while (found.iterations < most && !found.settled) {
    const double length = std::sqrt(dot(v, v));
    if (length == 0) break;
    for (float& value : v) value = float(value / length);
    hessian.times(v, y);
    ++found.iterations;
    found.largest = dot(v, y);
    pass.norm = std::sqrt(dot(y, y));
    const double across = std::sqrt(std::max(0.0, dot(y, y) - found.largest * found.largest));
    found.settled = across <= kSettled * std::abs(found.largest);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = float(double(y[i]) - shift * double(v[i]));
  }
  return pass;
}

}  // namespace

Curvature measure_curvature(const Config& config, const Data& data, const Network& network,
                            ConstView x, int most) {
  BatchGradient gradient(config, data, network);
  Hessian hessian(gradient, x);
  const Buffer start = host_buffer(x.size());
  gradient.at(x, start);  // a start that is not in the null space
  const Pass first = farthest_from(0, hessian, start, most);
  if (first.found.settled && first.found.largest >= 0) return first.found;
  // Seen from below the spectrum, the farthest is the highest.
  Curvature second = farthest_from(-first.norm, hessian, start, most).found;
  second.iterations += first.found.iterations;
  if (first.found.largest > second.largest) {  // each is a lower bound
    second.largest = first.found.largest;
    second.settled = false;
  }
  return second;
}

}  // namespace easgd
