#include "train/curvature.h"

#include <cmath>
#include <numeric>

namespace easgd {
namespace {

/// Length of a step for a difference, relative to that of the parameters: far above rounding, far
/// below where the loss is no longer quadratic.
constexpr double kRelativeStep = 1e-3;
constexpr double kSettled = 0.001;

double dot(ConstView a, ConstView b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Gradients of one batch at any point.
class BatchGradient {
 public:
  BatchGradient(const Config& config, const Data& data, const Network& network)
      : backend_((*Registry<BackendEntry>::find("cpu"))(BackendOptions{})),
        model_(backend_->compile(network, {.batch = std::size_t(config.workers.batch),
                                           .training = true,
                                           .precision = config.workers.precision,
                                           .seed = std::uint64_t(config.seed)})),
        loader_(*data.split.train, {.batch = std::size_t(config.workers.batch),
                                    .crop = int(config.data.crop),
                                    .limit = data.train_size,
                                    .seed = std::uint64_t(config.seed),
                                    .normalisation = data.normalisation}) {}

  void at(ConstView x, View g) { model_->gradient(x, loader_.next(0), g, {}); }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  Loader loader_;
};

}  // namespace

Curvature measure_curvature(const Config& config, const Data& data, const Network& network,
                            ConstView x, int most) {
  const std::size_t count = x.size();
  BatchGradient gradient(config, data, network);
  Buffer direction = host_buffer(count), point = host_buffer(count), ahead = host_buffer(count),
         behind = host_buffer(count);
  const View v = direction, moved = point, g_ahead = ahead, g_behind = behind;
  gradient.at(x, v);  // a start that is not in the null space
  const double step = kRelativeStep * std::max(1.0, std::sqrt(dot(x, x)));
  Curvature result;
  while (result.iterations < most) {
    const double length = std::sqrt(dot(v, v));
    if (length == 0) return result;
    for (float& value : v) value = float(value / length);
    for (const auto& [sign, g] : {std::pair{1.0, g_ahead}, {-1.0, g_behind}}) {
      for (std::size_t i = 0; i < count; ++i) moved[i] = float(x[i] + sign * step * v[i]);
      gradient.at(moved, g);
    }
    for (std::size_t i = 0; i < count; ++i) {
      g_ahead[i] = float((double(g_ahead[i]) - double(g_behind[i])) / (2 * step));
    }
    const double before = result.largest;
    result.largest = dot(v, g_ahead);
    ++result.iterations;
    std::ranges::copy(g_ahead, v.begin());
    result.settled = std::abs(result.largest - before) < kSettled * std::abs(result.largest);
    if (result.settled) break;
  }
  return result;
}

}  // namespace easgd
